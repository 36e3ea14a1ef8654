/** Linked consultations: who answered how, what all cohorts hold, what each holds alone. And credit: whose words the outcome rests on. */
import { number, percent, t } from '../i18n';
import { type Found, type Suppressible, tooFew } from './data';
import { Statements } from './statement';
import { DataTable } from './table';

interface CohortVotes extends Suppressible {
  cohort: string;
  agrees: number;
  disagrees: number;
}
interface Cohort extends Suppressible {
  cohort: string;
  modes?: string[];
  alone?: string[];
}
export interface Cohorts {
  cohorts: Cohort[];
  statements: Array<{ item: string; by_cohort: CohortVotes[]; said_in: string[] }>;
  common: string[];
  themes: Array<Suppressible & { cohort: string; shown?: Record<string, number> }>;
}
export interface CreditFigures {
  outcomes: Array<Suppressible & { outcome: string; credited?: number; contributions?: number; shares?: Array<{ author: string; credit: number; through: string[] }> }>;
}
const MODES = ['online', 'chat', 'on-site', 'survey'] as const;
const THEMES = 12;

function modes(cohort: Cohort): string {
  return MODES.filter((mode) => cohort.modes?.includes(mode))
    .map((mode) => t(`mode.${mode}`))
    .join(', ');
}

export function CohortsSection({ found, figures }: { found: Found; figures: Cohorts }) {
  const names = figures.cohorts.map((one) => one.cohort);
  return (
    <>
      <ul class="cohorts" data-testid="cohorts">
        {figures.cohorts.map((one) => (
          <li key={one.cohort}>
            <b dir="auto">{one.cohort}</b> {one.suppressed || one.people === null ? <span class="muted">{tooFew(found.outcomes)}</span> : <span>{t('cohorts.people', { count: one.people, modes: modes(one) })}</span>}
          </li>
        ))}
      </ul>
      <h3>{t('cohorts.common')}</h3>
      <Statements found={found} ids={figures.common} none={t('cohorts.common.none')} testid="cohorts-common" />
      {figures.cohorts.map(
        (one) =>
          (one.alone?.length ?? 0) > 0 && (
            <div key={one.cohort}>
              <h3>{t('cohorts.alone', { cohort: one.cohort })}</h3>
              <Statements found={found} ids={one.alone ?? []} none="" testid="cohorts-alone" />
            </div>
          ),
      )}
      {figures.themes.map(
        (one) =>
          one.shown && (
            <div key={one.cohort} data-testid="themes">
              <h3>{t('cohorts.themes', { cohort: one.cohort, count: one.people ?? 0 })}</h3>
              <ul class="segments">
                {Object.entries(one.shown)
                  .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
                  .slice(0, THEMES)
                  .map(([theme, share]) => (
                    <li key={theme}>
                      <span dir="auto">{theme}</span>
                      <span class="figure">{percent(share)}</span>
                    </li>
                  ))}
              </ul>
              <p class="hint">{t('cohorts.themes.hint')}</p>
            </div>
          ),
      )}
      <DataTable
        columns={[t('outcomes.column.statement'), ...names.map((name) => t('cohorts.column', { cohort: name })), t('cohorts.column.said')]}
        rows={figures.statements.map((one) => [
          found.text(one.item),
          ...names.map((name) => {
            const votes = one.by_cohort.find((entry) => entry.cohort === name);
            return !votes ? null : votes.suppressed || votes.people === null ? tooFew(found.outcomes) : `${number(votes.agrees, 0)} / ${number(votes.people, 0)}`;
          }),
          one.said_in.join(', '),
        ])}
      />
    </>
  );
}

function named(outcome: string): string {
  const room = /^r(\d+)\.summary$/.exec(outcome)?.[1];
  return room === undefined ? t('credit.outcome') : t('credit.outcome.summary', { n: Number(room) });
}

export function CreditSection({ found, figures }: { found: Found; figures: CreditFigures }) {
  const rows = figures.outcomes.map((one) => {
    const own = one.shares?.filter((share) => share.author !== '');
    const credited = one.credited ?? own?.reduce((sum, share) => sum + share.credit, 0);
    const through = one.contributions ?? own?.reduce((sum, share) => sum + share.through.length, 0);
    return { ...one, credited, through };
  });
  return (
    <>
      <ul class="credits" data-testid="credits">
        {rows.map((one) => (
          <li key={one.outcome}>
            <b>{named(one.outcome)}</b>{' '}
            {one.suppressed || one.people === null ? (
              <span class="muted">{tooFew(found.outcomes)}</span>
            ) : (
              <span>{t('credit.text', { people: one.people, contributions: one.through ?? 0, share: percent(one.credited ?? 0) })}</span>
            )}
          </li>
        ))}
      </ul>
      {rows.some((one) => one.shares) && (
        <DataTable
          columns={[t('credit.column.outcome'), t('credit.column.author'), t('outcomes.column.share')]}
          rows={rows.flatMap((one) => (one.shares ?? []).map((share) => [named(one.outcome), share.author || '–', percent(share.credit)]))}
        />
      )}
    </>
  );
}
