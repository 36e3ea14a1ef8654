/** Taking one's own words back, or putting right how they were written down; in the room and afterwards. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import type { UtteranceView } from '../protocol/types';
import { Icon } from '../ui/icons';
import type { Session } from './session';

export function OwnWords({ session, u }: { session: Session; u: UtteranceView }) {
  const [mode, setMode] = useState<'none' | 'correct' | 'strike'>('none');
  const [text, setText] = useState(u.text);
  if (mode === 'correct') {
    return (
      <form
        class="correct"
        onSubmit={(event) => {
          event.preventDefault();
          void session.do({ type: 'utterance.correct', utterance_id: u.utterance_id, text: text.trim() }).then((done) => done && setMode('none'));
        }}
      >
        <textarea aria-label={t('words.correct.label')} value={text} maxLength={2000} dir="auto" data-testid="correct-text" onInput={(event) => setText(event.currentTarget.value)} autoFocus />
        <button type="submit" class="button small primary" disabled={text.trim() === ''} data-testid="correct-save">
          {t('save')}
        </button>
        <button type="button" class="button small" onClick={() => setMode('none')}>
          {t('cancel')}
        </button>
      </form>
    );
  }
  if (mode === 'strike') {
    return (
      <div class="strike-ask" role="group" aria-label={t('words.strike')}>
        <span>{t('words.strike.ask')}</span>
        <button type="button" class="button small danger" data-testid="strike-confirm" autoFocus onClick={() => void session.do({ type: 'utterance.strike', utterance_id: u.utterance_id })}>
          {t('words.strike')}
        </button>
        <button type="button" class="button small" onClick={() => setMode('none')}>
          {t('cancel')}
        </button>
      </div>
    );
  }
  return (
    <span class="own-words">
      <button
        type="button"
        class="icon-button small"
        aria-label={t('words.correct')}
        title={t('words.correct')}
        data-testid="correct"
        onClick={() => {
          setText(u.text);
          setMode('correct');
        }}
      >
        <Icon name="pen" />
      </button>
      <button type="button" class="icon-button small" aria-label={t('words.strike')} title={t('words.strike')} data-testid="strike" onClick={() => setMode('strike')}>
        <Icon name="strike" />
      </button>
    </span>
  );
}
