import { t } from '../i18n';
import { since, useEnd } from './captions';
import { Composer } from './composer';
import { Translated } from '../ui/translated';
import type { Session } from './session';

/** Written messages to the room. */
export function Chat({ session }: { session: Session }) {
  const view = session.view.value;
  const messages = Object.values(view?.chat ?? {}).sort((a, b) => a.at - b.at);
  const scroll = useEnd(messages.length);
  if (!view) return null;
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
      {session.writes.value ? <p class="hint">{t('write.elsewhere')}</p> : <Composer session={session} room={view.room_id} label={'chat.label'} testid="chat" />}
    </div>
  );
}
