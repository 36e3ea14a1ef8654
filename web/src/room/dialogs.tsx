/** The room's dialogs: devices and settings, reporting a problem, calling a human, the keyboard, leaving. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { DevicePanel, Preview } from '../lobby/devices';
import type { RoomView } from '../protocol/types';
import { Dialog, Select, useDraft } from '../ui/controls';
import { LanguagePicker } from '../ui/language';
import { toast } from '../ui/toast';
import type { Session } from './session';

export type DialogName = 'settings' | 'report' | 'human' | 'keys' | 'leave';
interface Props {
  session: Session;
  view: RoomView;
  open: DialogName | null;
  onOpen: (name: DialogName | null) => void;
}

export function RoomDialogs({ session, view, open, onOpen }: Props) {
  const close = () => onOpen(null);
  switch (open) {
    case 'settings':
      return <Settings session={session} close={close} />;
    case 'report':
      return <Report session={session} view={view} close={close} />;
    case 'human':
      return <Human session={session} view={view} close={close} />;
    case 'keys':
      return <Keys session={session} close={close} />;
    case 'leave':
      return <Leave session={session} view={view} close={close} />;
  }
  return null;
}

function Settings({ session, close }: { session: Session; close: () => void }) {
  return (
    <Dialog title={t('settings')} onClose={close} wide>
      <div class="settings">
        {!session.writes.value && <Preview devices={session.devices} />}
        <div>
          {!session.writes.value && <DevicePanel devices={session.devices} sound={session.sound} />}
          {!session.writes.value && (
          <label class="switch">
            <input type="checkbox" role="switch" checked={session.readAloud.on.value} data-testid="read-aloud" onChange={(event) => session.readAloud.set(event.currentTarget.checked)} />
            <span>{t('readAloud.on')}</span>
          </label>
          )}
          <Select
            label={t('receive')}
            value={session.receive.value}
            options={(['all', 'few', 'none'] as const).map((value) => ({ value, label: t(`receive.${value}`) }))}
            onChange={(value) => session.setReceive(value as 'all' | 'few' | 'none')}
            testid="receive"
          />
          {session.feed.quality.value?.why && <p class="hint">{t('receive.now', { level: session.feed.quality.value.level, why: session.feed.quality.value.why })}</p>}
          <LanguagePicker />
        </div>
      </div>
    </Dialog>
  );
}

function Report({ session, view, close }: { session: Session; view: RoomView; close: () => void }) {
  const [text, setText] = useDraft(`report.${view.room_id}`);
  const [about, setAbout] = useState('');
  const others = Object.values(view.members).filter((m) => m.participant_id !== session.me.value);
  return (
    <Dialog title={t('report.title')} onClose={close}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void session.do({ type: 'report.file', about, text: text.trim() }).then((done) => {
            if (!done) return;
            setText('');
            toast(t('report.sent'));
            close();
          });
        }}
      >
        <p>{t('report.text')}</p>
        <Select label={t('report.about')} value={about} options={[{ value: '', label: t('report.about.none') }, ...others.map((m) => ({ value: m.participant_id, label: m.name }))]} onChange={setAbout} />
        <label for="report-text">{t('report.what')}</label>
        <textarea id="report-text" rows={4} maxLength={2000} required dir="auto" value={text} data-testid="report-text" onInput={(event) => setText(event.currentTarget.value)} />
        <div class="actions">
          <button type="submit" class="button primary" disabled={text.trim() === ''} data-testid="report-send">
            {t('report.send')}
          </button>
          <button type="button" class="button quiet" onClick={close}>
            {t('cancel')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Human({ session, view, close }: { session: Session; view: RoomView; close: () => void }) {
  return (
    <Dialog title={t('human.title')} onClose={close}>
      <p>{t(view.help ? 'human.waiting' : 'human.text')}</p>
      <div class="actions">
        {!view.help && (
          <button
            type="button"
            class="button primary"
            data-testid="human-confirm"
            onClick={() =>
              void session.do({ type: 'help.call' }).then((done) => {
                if (done) toast(t('human.done'));
                close();
              })
            }
          >
            {t('human.call')}
          </button>
        )}
        <button type="button" class="button quiet" onClick={close}>
          {t(view.help ? 'close' : 'cancel')}
        </button>
      </div>
    </Dialog>
  );
}

function Keys({ session, close }: { session: Session; close: () => void }) {
  const keys = [
    ['M', t('keys.m')],
    ['V', t('keys.v')],
    ['R', t('keys.r')],
    ['C', t('keys.c')],
    ['H', t('keys.h')],
    ['?', t('keys.help')],
    [t('keys.space'), t('keys.talk')],
  ];
  return (
    <Dialog title={t('keys')} onClose={close}>
      <dl class="keys">
        {keys.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <label class="switch">
        <input type="checkbox" role="switch" checked={session.keysOn.value} data-testid="keys-on" onChange={(event) => session.setKeys(event.currentTarget.checked)} />
        <span>{t('keys.on')}</span>
      </label>
    </Dialog>
  );
}

function Leave({ session, view, close }: { session: Session; view: RoomView; close: () => void }) {
  const [erase, setErase] = useState(false);
  return (
    <Dialog title={t(view.practice ? 'leave.practice' : 'leave.title')} onClose={close}>
      <p>{t(view.practice ? 'leave.practice.text' : 'leave.text')}</p>
      {!view.practice && (
        <label class="tick">
          <input type="checkbox" checked={erase} data-testid="leave-erase" onChange={(event) => setErase(event.currentTarget.checked)} />
          <span>
            <strong>{t('leave.erase')}</strong>
            <span class="tick-detail">{t('leave.erase.detail')}</span>
          </span>
        </label>
      )}
      <div class="actions">
        <button type="button" class="button danger" data-testid="leave-confirm" onClick={() => void session.leave(erase).then(close)}>
          {t(erase ? 'leave.confirm.erase' : 'leave.confirm')}
        </button>
        <button type="button" class="button quiet" onClick={close}>
          {t('leave.stay')}
        </button>
      </div>
    </Dialog>
  );
}
