/** The methods' sections: consensus and divides, agreement by segment, bridging, slate, ballots, change of opinion. */
import { number, percent, t } from '../i18n';
import type { OutcomeResult } from '../protocol/types';
import { type Agreement, type Ballots, type Bridging, type Change, type Found, groupName, groupSeat, type OpinionGroups, type Slate, tooFew } from './data';
import { Clauses, ForLeftOut } from './drafted';
import { OpinionMap } from './map';
import { Statement, Statements } from './statement';
import { DataTable } from './table';

const LISTED = 5;

export function OpinionGroupsSection({ found, figures }: { found: Found; figures: OpinionGroups }) {
  const shown = figures.statements.filter((one) => !one.suppressed);
  const marked = figures.next_agenda.filter((one) => one.why === 'divides').map((one) => one.item);
  const divides = (marked.length > 0 ? marked : shown.filter((one) => one.divide >= 0.4).sort((a, b) => b.divide - a.divide).map((one) => one.item)).slice(0, LISTED);
  return (
    <>
      <OpinionMap found={found} figures={figures} />
      {figures.enough && (
        <div class="group-cards">
          {figures.groups.map(
            (group) =>
              !group.suppressed && (
                <section key={group.id} class={`group-card ${groupSeat(group.id)}`}>
                  <h3>
                    <b class="letter">{groupName(group.id)}</b> {t('outcomes.marks', { name: groupName(group.id) })}
                  </h3>
                  <ul>
                    {(group.representative ?? []).map((one) => (
                      <li key={one.item}>
                        <blockquote dir="auto">{found.text(one.item)}</blockquote>
                        {one.suppressed || one.people === null ? (
                          <p class="muted">{tooFew(found.outcomes)}</p>
                        ) : (
                          <p class="note">{t(one.direction === 'agree' ? 'outcomes.markAgree' : 'outcomes.markDisagree', { votes: one.votes, people: one.people })}</p>
                        )}
                      </li>
                    ))}
                  </ul>
                </section>
              ),
          )}
        </div>
      )}
      {figures.enough && (
        <>
          <h3>{t('outcomes.consensus')}</h3>
          <Statements found={found} ids={figures.consensus.slice(0, LISTED)} none={t('outcomes.consensus.none')} testid="consensus" />
          <h3>{t('outcomes.divides')}</h3>
          <Statements found={found} ids={divides} none={t('outcomes.divides.none')} testid="divides" />
        </>
      )}
    </>
  );
}

function Level({ share }: { share: number }) {
  return (
    <span class="level" aria-hidden="true">
      <span style={{ inlineSize: `${100 * share}%` }} />
    </span>
  );
}

export function AgreementSection({ found, figures }: { found: Found; figures: Agreement }) {
  const compared = figures.statements.filter((one) => !one.suppressed && one.bridge !== null && figures.bridging.includes(one.item));
  const name = (segment: string) => (figures.segment === 'opinion-group' ? t('outcomes.group', { name: groupName(segment) }) : segment);
  return (
    <>
      <p>{t('outcomes.agreement.by', { segment: figures.segment === 'opinion-group' ? t('method.name.opinion-groups') : figures.segment })}</p>
      {compared.length === 0 && <p class="muted">{t('outcomes.agreement.none')}</p>}
      <ol class="outcome-statements" data-testid="agreement">
        {compared.slice(0, LISTED).map((one) => (
          <Statement key={one.item} found={found} id={one.item} note={t('outcomes.agreement.least', { share: percent(one.bridge ?? 0) })}>
            <ul class="segments">
              {one.by_segment?.map((segment) => (
                <li key={segment.segment}>
                  <span dir="auto">{name(segment.segment)}</span>
                  {segment.suppressed || segment.agreement === null ? (
                    <span class="muted">{tooFew(found.outcomes)}</span>
                  ) : (
                    <>
                      <Level share={segment.agreement} />
                      <span class="figure">{percent(segment.agreement)}</span>
                    </>
                  )}
                </li>
              ))}
            </ul>
          </Statement>
        ))}
      </ol>
      <Clauses found={found} clauses={figures.clauses} />
      <DataTable
        columns={[t('outcomes.column.statement'), t('outcomes.agree'), t('outcomes.column.least'), t('outcomes.people')]}
        rows={figures.statements.map((one) => [found.text(one.item), one.agreement == null ? null : percent(one.agreement), one.bridge == null ? null : percent(one.bridge), one.people])}
      />
    </>
  );
}

export function BridgingSection({ found, figures }: { found: Found; figures: Bridging }) {
  const accepted = figures.items.filter((one) => one.accepted);
  return (
    <>
      <Statements found={found} ids={accepted.slice(0, LISTED).map((one) => one.item)} none={t('outcomes.bridging.none')} testid="bridging" />
      <DataTable
        columns={[t('outcomes.column.statement'), t('outcomes.column.score'), t('outcomes.agree'), t('outcomes.people')]}
        rows={figures.items.map((one) => [found.text(one.item), one.intercept, one.suppressed ? null : percent(one.support), one.people])}
      />
    </>
  );
}

export function SlateSection({ found, figures }: { found: Found; figures: Slate }) {
  return (
    <>
      <ol class="outcome-statements" data-testid="slate">
        {figures.seats.map((seat) => (
          <Statement
            key={seat.item}
            found={found}
            id={seat.item}
            note={seat.suppressed || seat.people === null ? tooFew(found.outcomes) : t('outcomes.slate.for', { count: seat.people, all: figures.people })}
          />
        ))}
      </ol>
      <p class={figures.justified ? 'checked' : 'problem'}>{t(figures.justified ? 'outcomes.slate.justified' : 'outcomes.slate.unjustified')}</p>
      <ForLeftOut found={found} few={figures.left_out} all={figures.people} />
    </>
  );
}

export function BallotsSection({ found, figures, result }: { found: Found; figures: Ballots; result: OutcomeResult }) {
  if (figures.suppressed || figures.people === null) return <p class="muted">{tooFew(found.outcomes)}</p>;
  const place = new Map(figures.order.flatMap((tied, index) => tied.map((option) => [option, index + 1] as const)));
  const rule = t(`ballot.rule.${figures.rule}`);
  const rows = [...figures.scores].sort((a, b) => (place.get(a.option) ?? 0) - (place.get(b.option) ?? 0));
  return (
    <>
      <p>
        {result.title === '' ? t('outcomes.ballots.about', { rule, count: figures.people }) : `${rule}. ${t('ballot.result', { n: figures.people })}`}
      </p>
      <ol class="ballots" data-testid="ballots">
        {rows.map((row) => (
          <li key={row.option} value={place.get(row.option)} data-testid="ballot-score" data-score={row.score} data-won={figures.winners.includes(row.option)}>
            <blockquote dir="auto">{found.text(row.option)}</blockquote>
            {figures.winners.includes(row.option) && <b class="winner">{t('outcomes.ballots.winner')}</b>}
            <Level share={row.score / Math.max(...rows.map((one) => one.score), 1)} />
            <span class="figure">{t(`ballot.score.${figures.rule}`, { score: number(row.score, 1) })}</span>
          </li>
        ))}
      </ol>
      <DataTable
        columns={[t('outcomes.column.option'), t('outcomes.column.place'), t('outcomes.column.points'), t('outcomes.column.share')]}
        rows={rows.map((row) => [found.text(row.option), place.get(row.option) ?? null, row.score, percent(row.share)])}
      />
      {figures.rounds.length > 1 && (
        <DataTable
          label={t('outcomes.ballots.rounds')}
          columns={[t('outcomes.column.round'), ...rows.map((row) => found.text(row.option)), t('outcomes.ballots.exhausted')]}
          rows={figures.rounds.map((round, index) => [number(index + 1), ...rows.map((row) => round.scores[row.option] ?? null), round.exhausted])}
        />
      )}
    </>
  );
}

export function ChangeSection({ found, figures }: { found: Found; figures: Change }) {
  return (
    <>
      <ul class="changes" data-testid="change">
        {figures.statements.map((shift) => {
          const item = found.item(shift.item);
          const scale = item?.scale ?? 5;
          const at = (value: number) => 4 + ((value - 1) / (scale - 1)) * 92;
          return (
            <li key={shift.item}>
              <h3 dir="auto">{found.text(shift.item)}</h3>
              {shift.suppressed || shift.people === null ? (
                <p class="muted">{tooFew(found.outcomes)}</p>
              ) : (
                <>
                  <svg viewBox="0 0 100 12" role="img" aria-label={t('outcomes.change.label', { before: number(shift.before, 2), after: number(shift.after, 2) })}>
                    <line class="axis" x1="4" y1="6" x2="96" y2="6" />
                    {Array.from({ length: scale }, (_, index) => (
                      <line key={index} class="axis" x1={at(index + 1)} y1="4.5" x2={at(index + 1)} y2="7.5" />
                    ))}
                    <line class="moved" x1={at(shift.before)} y1="6" x2={at(shift.after)} y2="6" />
                    <circle class="before" cx={at(shift.before)} cy="6" r="2" />
                    <circle class="after" cx={at(shift.after)} cy="6" r="2.4" />
                  </svg>
                  <p class="ends muted" aria-hidden="true">
                    <span>{item?.low}</span>
                    <span>{item?.high}</span>
                  </p>
                  <p class="note">
                    {t('outcomes.change.text', { before: number(shift.before, 2), after: number(shift.after, 2), people: shift.people })}{' '}
                    {shift.low !== null && shift.high !== null && t('outcomes.change.interval', { change: number(shift.change, 2), low: number(shift.low, 2), high: number(shift.high, 2) })}
                  </p>
                </>
              )}
            </li>
          );
        })}
      </ul>
      <DataTable
        columns={[t('outcomes.column.question'), t('outcomes.people'), t('outcomes.column.before'), t('outcomes.column.after'), t('outcomes.column.up'), t('outcomes.column.down'), t('outcomes.column.p')]}
        rows={figures.statements.map((one) => [found.text(one.item), one.people, one.before, one.after, one.up, one.down, one.p_adjusted])}
      />
    </>
  );
}

export function AllStatements({ found }: { found: Found }) {
  const votes = [...found.votes.values()];
  if (votes.length === 0) return null;
  return (
    <DataTable
      label={t('outcomes.allStatements')}
      columns={[t('outcomes.column.statement'), t('outcomes.agree'), t('outcomes.disagree'), t('outcomes.pass'), t('outcomes.people')]}
      rows={votes.map((one) => (one.people === null ? [found.text(one.item), null, null, null, null] : [found.text(one.item), one.agrees, one.disagrees, one.people - one.agrees - one.disagrees, one.people]))}
    />
  );
}

