/** Where somebody writes to the room: as chat, or, who takes part in writing, as their contribution. Enter sends, Shift and Enter is a new line. */
import { t, type Key } from '../i18n';
import { useDraft } from '../ui/controls';
import { Icon } from '../ui/icons';
import type { Session } from './session';

export const WRITE_ID = 'write-text';

export function Composer({ session, room, label, id, testid }: { session: Session; room: string; label: Key; id?: string; testid: string }) {
  const [text, setText] = useDraft(`chat.${room}`);
  const send = async () => {
    const message = text.trim();
    if (message && (await session.do({ type: 'chat.post', text: message }))) setText('');
  };
  return (
    <form
      class="chat-form"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <textarea
        id={id}
        aria-label={t(label)}
        placeholder={t(label)}
        data-testid={`${testid}-input`}
        rows={2}
        maxLength={1000}
        dir="auto"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          void send();
        }}
      />
      <button type="submit" class="button primary" disabled={text.trim() === ''} data-testid={`${testid}-send`} aria-label={t('chat.send')}>
        <Icon name="send" />
      </button>
    </form>
  );
}
