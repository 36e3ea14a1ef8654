import { t } from '../i18n';
import type { Socket } from '../net/socket';
import { now } from './controls';

/** The banner while the connection is lost. */
export function Reconnecting({ socket }: { socket: Socket }) {
  const state = socket.state.value;
  const again = socket.retryAt.value > 0;
  if (state === 'open' || state === 'ended' || (state === 'connecting' && !again)) return null;
  void now.value;
  const seconds = Math.max(0, Math.ceil((socket.retryAt.value - Date.now()) / 1000));
  return (
    <div class="banner warning" role="status" data-testid="reconnecting">
      <span>{state === 'waiting' && seconds > 0 ? t('reconnecting.in', { n: seconds }) : t('reconnecting.now')}</span>
      <button type="button" class="button small" data-testid="retry" onClick={() => socket.retry()}>
        {t('retry')}
      </button>
    </div>
  );
}
