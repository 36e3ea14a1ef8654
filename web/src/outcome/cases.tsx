/**
 * Case law: how experts and lay people judged each response to each case, kept apart; and a box in which anyone puts a new case and is answered
 * with the judged cases nearest to it and the words that made them near, or told that there is none.
 */
import { useState } from 'preact/hooks';
import { number, t } from '../i18n';
import { postJson } from '../net/api';
import { sentence } from '../net/errors';
import type { Answered } from '../protocol/types';
import { type Found, type Suppressible, tooFew } from './data';
import { DataTable } from './table';
import './values.css';

interface Opinion extends Suppressible {
  mean: number | null;
  spread: number | null;
  agreement: number | null;
}
interface TemplateView {
  template: string;
  expert: Opinion;
  lay: Opinion;
  gap: number | null;
  p: number | null;
}
export interface CaseLaw extends Suppressible {
  cases: Array<{ case: string; parent: string; dimensions: string[]; templates: TemplateView[] }>;
}

export function CasesSection({ found, figures }: { found: Found; figures: CaseLaw }) {
  if (figures.suppressed) return <p class="muted">{tooFew(found.outcomes)}</p>;
  const seeds = figures.cases.filter((one) => one.parent === '');
  const listed = seeds.flatMap((seed) => [seed, ...figures.cases.filter((one) => one.parent === seed.case)]);
  return (
    <>
      {figures.cases.length > 0 && <Ask found={found} />}
      {figures.cases.length === 0 && <p class="muted">{t('law.none')}</p>}
      <ol class="law-cases" data-testid="law-cases">
        {listed.map((one) => (
          <li key={one.case} class={one.parent ? 'law-case variant' : 'law-case'} data-testid="law-case" data-item={one.case}>
            <blockquote dir="auto">{found.text(one.case)}</blockquote>
            <p class="note">
              {one.parent && <span>{t('law.variant')} </span>}
              <span dir="auto">{one.dimensions.join(' · ')}</span>
            </p>
            {one.templates.length === 0 ? <p class="muted">{t('law.unjudged')}</p> : <Templates found={found} templates={one.templates} />}
          </li>
        ))}
      </ol>
      <DataTable
        label={t('law.table')}
        columns={[t('law.column.case'), t('law.column.response'), ...(['expert', 'lay'] as const).flatMap((side) => [t(`law.column.${side}`), t('law.column.spread'), t('law.column.agreement'), t('outcomes.people')]), t('law.column.gap'), t('law.column.p')]}
        rows={listed.flatMap((one) =>
          one.templates.map((view) => [
            found.text(one.case),
            found.text(view.template),
            ...[view.expert, view.lay].flatMap((side) => (side.suppressed ? [null, null, null, null] : [side.mean, side.spread, side.agreement, side.people])),
            view.gap,
            view.p,
          ]),
        )}
      />
    </>
  );
}

function Templates({ found, templates }: { found: Found; templates: TemplateView[] }) {
  return (
    <ul class="law-templates">
      {templates.map((view) => (
        <li key={view.template}>
          <p dir="auto">{found.text(view.template)}</p>
          <dl>
            {(['expert', 'lay'] as const).map((side) => (
              <div key={side} class={side}>
                <dt>{t(`law.${side}`)}</dt>
                <dd>
                  <Side found={found} side={view[side]} />
                </dd>
              </div>
            ))}
          </dl>
        </li>
      ))}
    </ul>
  );
}

/** One side's mean on the scale from 1 to 5, its spread as a band, and the numbers in words. */
function Side({ found, side }: { found: Found; side: Opinion }) {
  if (side.suppressed || side.people === null) return <span class="muted">{tooFew(found.outcomes)}</span>;
  if (side.mean === null) return <span class="muted">{t('law.nobody')}</span>;
  const at = (value: number) => 4 + ((Math.min(5, Math.max(1, value)) - 1) / 4) * 92;
  return (
    <>
      <svg class="law-scale" viewBox="0 0 100 8" aria-hidden="true">
        <line class="axis" x1="4" y1="4" x2="96" y2="4" />
        {[1, 2, 3, 4, 5].map((value) => (
          <line key={value} class="axis" x1={at(value)} y1="2.6" x2={at(value)} y2="5.4" />
        ))}
        {side.spread !== null && <line class="spread" x1={at(side.mean - side.spread)} y1="4" x2={at(side.mean + side.spread)} y2="4" />}
        <circle class="mean" cx={at(side.mean)} cy="4" r="2.4" />
      </svg>
      <span class="figure" data-testid="law-mean">
        {t('law.mean', { mean: number(side.mean, 2), people: side.people })}
        {side.agreement !== null && ` · ${t('law.agreement', { agreement: number(side.agreement, 2) })}`}
      </span>
    </>
  );
}

/** Put a case of one's own. It is answered and not kept. */
function Ask({ found }: { found: Found }) {
  const [text, setText] = useState('');
  const [answer, setAnswer] = useState<Answered | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const ask = () => {
    setBusy(true);
    setProblem(null);
    postJson<Answered>(`/api/deliberations/${encodeURIComponent(found.outcomes.id)}/precedents`, null, { text })
      .then(setAnswer)
      .catch((error: unknown) => {
        setAnswer(null);
        setProblem(sentence(error));
      })
      .finally(() => setBusy(false));
  };
  return (
    <section class="law-ask aside-box">
      <h3>{t('law.ask')}</h3>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          ask();
        }}
      >
        <label for="law-case">{t('law.ask.label')}</label>
        <textarea id="law-case" data-testid="law-ask" rows={3} maxLength={2000} value={text} dir="auto" aria-describedby="law-case-hint" onInput={(event) => setText(event.currentTarget.value)} />
        <p id="law-case-hint" class="hint">
          {t('law.ask.hint')}
        </p>
        <button type="submit" class="button primary" data-testid="law-ask-send" disabled={busy || text.trim().length < 3}>
          {t('law.ask.send')}
        </button>
      </form>
      <div role="status" data-testid="law-answer">
        {problem && <p class="problem">{problem}</p>}
        {answer?.none && <p class="lead">{t('law.ask.none')}</p>}
        {answer && !answer.none && (
          <ol class="law-cases">
            {answer.precedents.map((one) => (
              <li key={one.case} class="law-case" data-testid="law-precedent" data-item={one.case}>
                <blockquote dir="auto">{found.text(one.case)}</blockquote>
                <p class="note">
                  {t('law.near', { similarity: number(one.similarity, 2) })} <span dir="auto">{one.words.join(', ')}</span>
                </p>
                {one.templates.length === 0 ? <p class="muted">{t('law.unjudged')}</p> : <Templates found={found} templates={one.templates as unknown as TemplateView[]} />}
              </li>
            ))}
          </ol>
        )}
      </div>
    </section>
  );
}
