import { t } from '../i18n';
import { useDraft } from '../ui/controls';
import { Icon } from '../ui/icons';
import { since, useEnd } from './captions';
import { Translated } from '../ui/translated';
import type { Session } from './session';

/** Written messages to the room. */
export function Chat({ session }: { session: Session }) {
  const view = session.view.value;
  const [text, setText] = useDraft(`chat.${view?.room_id ?? ''}`);
  const messages = Object.values(view?.chat ?? {}).sort((a, b) => a.at - b.at);
  const scroll = useEnd(messages.length);
  if (!view) return null;
  const send = async () => {
    const message = text.trim();
    if (message && (await session.do({ type: 'chat.post', text: message }))) setText('');
  };
  return (
    <div class="chat">
      <h2 class="visually-hidden">{t('tab.chat')}</h2>
      <div class="chat-scroll" {...scroll}>
        {messages.length === 0 && <p class="muted">{t('chat.empty')}</p>}
        <div role="log" aria-live="polite">
        <ol class="chat-list">
          {messages.map((m) => {
            const who = view.members[m.participant_id];
            const gone = m.struck || (m.hidden && !m.text);
            return (
              <li key={m.message_id} class={`chat-message seat-${(((who?.seat ?? 1) - 1) % 8) + 1}`} data-testid="chat-message">
                <span class="speaker">{who?.name}</span> <span class="muted at">{since(view, m.at)}</span>
                {gone ? <p class="gone">{t(m.struck ? 'chat.struck' : 'words.hidden')}</p> : <Translated view={view} id={m.message_id} text={m.text} />}
                {m.participant_id === session.me.value && !gone && (
                  <button type="button" class="link" onClick={() => void session.do({ type: 'chat.strike', message_id: m.message_id })}>
                    {t('chat.strike')}
                  </button>
                )}
              </li>
            );
          })}
        </ol>
        </div>
      </div>
      <form
        class="chat-form"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <textarea
          aria-label={t('chat.label')}
          placeholder={t('chat.label')}
          data-testid="chat-input"
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
        <button type="submit" class="button primary" disabled={text.trim() === ''} data-testid="chat-send" aria-label={t('chat.send')}>
          <Icon name="send" />
        </button>
      </form>
    </div>
  );
}
