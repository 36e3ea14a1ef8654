/** The controls at the foot of the room. */
import { t } from '../i18n';
import type { RoomView } from '../protocol/types';
import { Icon } from '../ui/icons';
import type { DialogName } from './dialogs';
import type { Session } from './session';

export function ControlBar({ session, view, onDialog, onWrite }: { session: Session; view: RoomView; onDialog: (name: DialogName) => void; onWrite: () => void }) {
  const { devices } = session;
  const me = session.me.value;
  const microphone = devices.tracks.audio.value !== null && !devices.muted.value;
  const camera = devices.tracks.video.value !== null;
  const place = view.queue.findIndex((hand) => hand.participant_id === me);
  const short = view.queue[place]?.short;
  const mine = view.turn?.participant_id === me;
  const stage = view.stage;
  const ready = stage?.ready.includes(me) ?? false;
  const more = stage?.more_time.includes(me) ?? false;
  return (
    <section class="bar" aria-label={t('bar')}>
      <div class="bar-group">
        {session.writes.value ? (
          <button type="button" class="bar-button" data-testid="write" onClick={onWrite}>
            <Icon name="pen" />
            <span>{t('bar.write')}</span>
          </button>
        ) : (
          <>
            <button type="button" class={microphone ? 'bar-button' : 'bar-button off'} data-on={microphone} data-testid="microphone" onClick={() => session.toggleMicrophone()}>
              <Icon name={microphone ? 'mic' : 'mic-off'} />
              <span>{t(microphone ? 'bar.mute' : 'bar.unmute')}</span>
            </button>
            <button type="button" class={camera ? 'bar-button' : 'bar-button off'} data-on={camera} data-testid="camera" onClick={() => session.toggleCamera()}>
              <Icon name={camera ? 'video' : 'video-off'} />
              <span>{t(camera ? 'bar.cameraOff' : 'bar.cameraOn')}</span>
            </button>
          </>
        )}
      </div>
      <div class="bar-group main">
        <button type="button" class={mine ? 'bar-button strong turn' : place >= 0 ? 'bar-button strong' : 'bar-button'} aria-pressed={place >= 0 || mine} data-testid="raise-hand" onClick={() => session.toggleHand(false)}>
          <Icon name="hand" />
          <span>{mine ? t('hand.done') : place >= 0 && !short ? t('hand.queued', { n: place + 1 }) : t('hand.raise')}</span>
        </button>
        {!mine && view.turn != null && (
          <button type="button" class="bar-button" aria-pressed={place >= 0 && short === true} data-testid="short-reply" onClick={() => session.toggleHand(true)}>
            <Icon name="quote" />
            <span>{t('hand.short')}</span>
          </button>
        )}
        {stage && (
          <button type="button" class={ready ? 'bar-button strong' : 'bar-button'} aria-pressed={ready} data-testid="ready" onClick={() => void session.do({ type: 'stage.ready', ready: !ready })}>
            <Icon name="next" />
            <span>
              {t('ready')} {stage.ready.length > 0 && t('ready.count', { n: stage.ready.length, needed: stage.needed })}
            </span>
          </button>
        )}
        {stage?.may_extend && (
          <button type="button" class={more ? 'bar-button strong' : 'bar-button'} aria-pressed={more} disabled={more} data-testid="more-time" onClick={() => void session.do({ type: 'stage.more_time' })}>
            <Icon name="clock" />
            <span>
              {t('more')} {stage.more_time.length > 0 && t('ready.count', { n: stage.more_time.length, needed: stage.needed })}
            </span>
          </button>
        )}
      </div>
      <div class="bar-group end">
        <button type="button" class="bar-button" aria-pressed={session.captionsOn.value} data-testid="captions-toggle" onClick={() => session.setCaptions(!session.captionsOn.value)}>
          <Icon name="captions" />
          <span>{t('captions')}</span>
        </button>
        <button type="button" class="bar-button" data-testid="help" onClick={() => onDialog('keys')}>
          <Icon name="help" />
          <span>{t('keys')}</span>
        </button>
        <button type="button" class="bar-button leave" data-testid="leave" onClick={() => onDialog('leave')}>
          <Icon name="leave" />
          <span>{t('leave')}</span>
        </button>
      </div>
    </section>
  );
}
