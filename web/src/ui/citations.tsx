/** The words that a claim rests on, word for word, by speaker; or that they are gone. */
import { t } from '../i18n';
import type { RoomView } from '../protocol/types';
import { clock } from './controls';

interface Props {
  view: RoomView;
  utterances: readonly string[];
  label: string;
  onJump?: (utterance: string) => void;
}

export function Citations({ view, utterances, label, onJump }: Props) {
  if (utterances.length === 0) return null;
  return (
    <details class="citations">
      <summary>{label}</summary>
      {utterances.map((id) => {
        const u = view.utterances[id];
        const who = u ? view.members[u.participant_id] : undefined;
        return (
          <blockquote key={id} class={`citation seat-${(((who?.seat ?? 1) - 1) % 8) + 1}`} data-testid="citation" data-utterance={id}>
            <p dir="auto">{!u || u.struck ? t('words.struck') : u.hidden && !u.text ? t('words.hidden') : u.text}</p>
            <footer>
              {who?.name ?? t('someone')}
              {u && ` · ${clock(Math.max(0, u.started_at - view.opened_at))}`}
              {onJump && u && (
                <button type="button" class="link" onClick={() => onJump(id)}>
                  {t('cites.show')}
                </button>
              )}
            </footer>
          </blockquote>
        );
      })}
    </details>
  );
}
