/** Texts drafted from statements: clauses of what bridges, and a statement for those the slate leaves out. Nobody has voted on these. */
import { percent, t } from '../i18n';
import { Icon } from '../ui/icons';
import type { Clause, Draft, Found, LeftOut } from './data';
import { Statements } from './statement';

/** Who wrote a text, and the statements with the votes that it rests on. */
function Drafted({ found, draft, note }: { found: Found; draft: Draft; note: string }) {
  return (
    <>
      <blockquote dir="auto">{draft.text}</blockquote>
      <p class="note">{note}</p>
      <p class="drafted">
        <Icon name={draft.method === 'model' ? 'spark' : 'quote'} />{' '}
        {draft.method === 'model' ? t('outcomes.drafted.model', { model: draft.model, prompt: draft.prompt }) : t('outcomes.drafted.extraction', { n: draft.items.length })}
      </p>
      <details class="evidence">
        <summary>{t('outcomes.evidence')}</summary>
        <Statements found={found} ids={draft.items} none="" testid="draft-evidence" />
      </details>
    </>
  );
}

export function Clauses({ found, clauses }: { found: Found; clauses: Clause[] }) {
  const shown = clauses.filter((clause) => clause.draft && !clause.suppressed);
  if (shown.length === 0) return null;
  return (
    <>
      <h3>{t('outcomes.clauses')}</h3>
      <p class="hint">{t('outcomes.clauses.about')}</p>
      <ol class="outcome-statements clauses" data-testid="clauses">
        {shown.map(({ draft, bridge }) => (
          <li key={draft!.text} class="outcome-statement" data-testid="clause">
            <Drafted found={found} draft={draft!} note={t('outcomes.agreement.least', { share: percent(bridge ?? 0) })} />
          </li>
        ))}
      </ol>
    </>
  );
}

export function ForLeftOut({ found, few, all }: { found: Found; few: LeftOut | null; all: number }) {
  if (few === null || few.suppressed || few.people === null) return null;
  const agreed = (few.agreed ?? []).map((one) => one.item);
  return (
    <section data-testid="left-out">
      <h3>{t('outcomes.leftOut')}</h3>
      <p>{t('outcomes.leftOut.about', { count: few.people, all })}</p>
      {few.draft ? (
        <div class="outcome-statement">
          <Drafted found={found} draft={few.draft} note={t('outcomes.leftOut.unvoted')} />
        </div>
      ) : (
        agreed.length > 0 && (
          <details class="evidence">
            <summary>{t('outcomes.leftOut.agreed')}</summary>
            <Statements found={found} ids={agreed} none="" testid="left-out-agreed" />
          </details>
        )
      )}
    </section>
  );
}
