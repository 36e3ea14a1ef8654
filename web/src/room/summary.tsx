/** The group's summary: every sentence with what it cites; each person marks it right or wrong, or says what is missing. */
import { t } from '../i18n';
import type { RoomView, SummaryView } from '../protocol/types';
import { Citations } from '../ui/citations';
import { useDraft } from '../ui/controls';
import { Icon } from '../ui/icons';
import { Translated } from '../ui/translated';
import type { Session } from './session';

interface Props {
  view: RoomView;
  /** Whose marks can be given; null where the summary is only read. */
  session: Session | null;
  onJump?: (utterance: string) => void;
}

export function Summary({ view, session, onJump }: Props) {
  const summary = view.summary;
  if (!summary) {
    return (
      <section class="summary" data-testid="summary">
        <h2>{t('summary.title')}</h2>
        <p class="muted">{t('summary.writing')}</p>
      </section>
    );
  }
  return (
    <section class="summary" data-testid="summary">
      <h2>{t('summary.title')}</h2>
      <p class="hint">
        <Icon name="spark" /> {t('summary.by', { method: t(summary.method.startsWith('extract') ? 'method.extractive' : 'method.model') })}
        {summary.dropped > 0 && ` ${t('summary.dropped', { n: summary.dropped })}`}
      </p>
      {summary.sentences.length === 0 && <p class="muted">{t('summary.empty')}</p>}
      <ol class="sentences">
        {summary.sentences.map((sentence, index) => (
          <li key={index} class={sentence.minority ? 'sentence minority' : 'sentence'} data-testid="summary-sentence" data-sentence={index}>
            {sentence.minority && <p class="eyebrow">{t('summary.minority')}</p>}
            <Translated view={view} id={`${summary.summary_id}:${index}`} text={sentence.text} class="sentence-text" />
            {sentence.flagged && <p class="flagged">{t('flagged')}</p>}
            <Citations view={view} utterances={sentence.utterances} label={t('cites.words', { n: sentence.utterances.length })} onJump={onJump} />
            {sentence.statements.length > 0 && (
              <details class="citations">
                <summary>{t('cites.statements', { n: sentence.statements.length })}</summary>
                {sentence.statements.map((id) => (
                  <blockquote key={id} class="citation" data-testid="citation-statement" data-statement={id}>
                    <p dir="auto">{view.statements[id]?.text ?? t('words.struck')}</p>
                  </blockquote>
                ))}
              </details>
            )}
            <Marks session={session} summary={summary} index={index} />
          </li>
        ))}
      </ol>
      {summary.missing.length > 0 && (
        <section>
          <h3>{t('summary.missing')}</h3>
          <ul class="missing">
            {summary.missing.map((text, index) => (
              <li key={index} dir="auto">
                {text}
              </li>
            ))}
          </ul>
        </section>
      )}
      {session && <Missing session={session} summary={summary} />}
    </section>
  );
}

function Marks({ session, summary, index }: { session: Session | null; summary: SummaryView; index: number }) {
  const sentence = summary.sentences[index];
  if (!sentence) return null;
  if (!session) return <p class="muted">{t('summary.marks', { right: sentence.right, wrong: sentence.wrong })}</p>;
  const mark = (verdict: 'right' | 'wrong') => void session.do({ type: 'summary.mark', summary_id: summary.summary_id, sentence: index, verdict });
  return (
    <div class="marks" role="group" aria-label={t('summary.mark')}>
      <button type="button" class="vote agree" aria-pressed={sentence.my_mark === 'right'} data-testid="mark-right" onClick={() => mark('right')}>
        <Icon name="check" />
        {t('mark.right')} <span class="count">{sentence.right || ''}</span>
      </button>
      <button type="button" class="vote disagree" aria-pressed={sentence.my_mark === 'wrong'} data-testid="mark-wrong" onClick={() => mark('wrong')}>
        <Icon name="cross" />
        {t('mark.wrong')} <span class="count">{sentence.wrong || ''}</span>
      </button>
    </div>
  );
}

function Missing({ session, summary }: { session: Session; summary: SummaryView }) {
  const [text, setText] = useDraft(`missing.${summary.summary_id}`);
  return (
    <form
      class="add-statement"
      onSubmit={(event) => {
        event.preventDefault();
        void session.do({ type: 'summary.mark', summary_id: summary.summary_id, verdict: 'missing', text: text.trim() }).then((done) => done && setText(''));
      }}
    >
      <label for="mark-missing">{t('mark.missing')}</label>
      <textarea id="mark-missing" rows={2} maxLength={1000} dir="auto" value={text} data-testid="mark-missing-text" onInput={(event) => setText(event.currentTarget.value)} />
      <button type="submit" class="button" disabled={text.trim() === ''} data-testid="mark-missing">
        {t('mark.missing.send')}
      </button>
    </form>
  );
}
