import { t } from '../i18n';
import type { RoomView } from '../protocol/types';
import { Paragraphs } from '../ui/controls';
import { Translated } from '../ui/translated';

/** The question, the running stage's prompt, the agenda and the briefing material. */
export function Question({ view }: { view: RoomView }) {
  const stage = view.agenda[view.stage?.index ?? -1];
  return (
    <div class="question-panel">
      <h2 class="eyebrow">{t('question.title')}</h2>
      <div data-testid="question">
        <Translated view={view} id="question" text={view.question} class="question" />
      </div>
      {stage && (
        <section class="now">
          <h3>{t('question.now', { title: stage.title })}</h3>
          {stage.prompt && (view.translations[`stage:${stage.id}`] ? <Translated view={view} id={`stage:${stage.id}`} text={stage.prompt} /> : <Paragraphs text={stage.prompt} />)}
        </section>
      )}
      {view.briefing.length > 0 && (
        <section>
          <h3>{t('question.briefing')}</h3>
          {view.briefing.map((part, index) => (
            <details key={part.title} open={index === 0}>
              <summary dir="auto">{part.title}</summary>
              <Paragraphs text={part.text ?? ''} />
              {part.url && (
                <p>
                  <a href={part.url} target="_blank" rel="noreferrer noopener">
                    {part.url}
                  </a>
                </p>
              )}
            </details>
          ))}
        </section>
      )}
      <section>
        <h3>{t('agenda')}</h3>
        <ol class="agenda-list">
          {view.agenda.map((one) => (
            <li key={one.id} class={one.progress}>
              <span>{one.title}</span>
              <span class="muted">{one.minutes != null ? t('minutes', { n: one.minutes }) : t('agenda.nolimit')}</span>
            </li>
          ))}
        </ol>
      </section>
    </div>
  );
}
