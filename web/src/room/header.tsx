/** Where the group stands: the agenda as a row of steps, the running stage with its time, and how the talk is shared. */
import { t } from '../i18n';
import type { RoomView } from '../protocol/types';
import { clock, Mark, now } from '../ui/controls';
import { Icon } from '../ui/icons';
import { Balance } from '../ui/balance';
import type { DialogName } from './dialogs';
import type { Session } from './session';

export function RoomHeader({ session, view, onDialog }: { session: Session; view: RoomView; onDialog: (name: DialogName) => void }) {
  const stage = view.agenda[view.stage?.index ?? -1];
  const left = view.stage?.ends_at != null ? view.stage.ends_at - now.value : null;
  return (
    <header class="room-head">
      <Mark />
      <div class="agenda">
        <ol class="steps" aria-label={t('agenda')}>
          {view.agenda.map((one) => (
            <li key={one.id} class={`step ${one.progress}`} aria-current={one.progress === 'now' ? 'step' : undefined} title={one.title}>
              <span class="visually-hidden">
                {one.title} ({t(`agenda.${one.progress}`)})
              </span>
            </li>
          ))}
        </ol>
        <p class="stage-name" dir="auto" data-testid="stage-title">
          {stage ? stage.title : t('agenda.before')}
        </p>
      </div>
      {left !== null && (
        <p class={left < 0 ? 'time over' : left < 60 ? 'time soon' : 'time'} data-testid="time-left" role="timer" aria-label={left < 0 ? t('time.over', { time: clock(-left) }) : t('time.left', { time: clock(left) })}>
          {clock(left)}
        </p>
      )}
      <Balance view={view} me={session.me.value} />
      <div class="head-buttons">
        <button type="button" class="icon-button labelled" data-testid="settings" onClick={() => onDialog('settings')}>
          <Icon name="gear" />
          <span>{t('settings')}</span>
        </button>
        <button type="button" class="icon-button labelled" data-testid="report" onClick={() => onDialog('report')}>
          <Icon name="flag" />
          <span>{t('report')}</span>
        </button>
        <button type="button" class="icon-button labelled" data-testid="call-human" onClick={() => onDialog('human')}>
          <Icon name="human" />
          <span>{t(view.help ? 'human.called' : 'human.call')}</span>
        </button>
      </div>
    </header>
  );
}
