/** One statement with its votes as a bar, and behind it everything the number rests on: who voted how, where it came from, who said it. */
import type { ComponentChildren } from 'preact';
import { percent, t } from '../i18n';
import { type Found, groupName, groupSeat, type GroupVotes, type StatementVotes, tooFew } from './data';
import { DataTable } from './table';

interface Counts {
  agrees: number;
  disagrees: number;
  people: number;
}

/** Statements by their ids, or why there are none. */
export function Statements({ found, ids, none, testid }: { found: Found; ids: string[]; none: string; testid: string }) {
  if (ids.length === 0) return <p class="muted">{none}</p>;
  return (
    <ol class="outcome-statements" data-testid={testid}>
      {ids.map((id) => (
        <Statement key={id} found={found} id={id} />
      ))}
    </ol>
  );
}

export function Statement({ found, id, note, children }: { found: Found; id: string; note?: ComponentChildren; children?: ComponentChildren }) {
  const votes = found.votes.get(id);
  return (
    <li class="outcome-statement" data-testid="outcome-statement" data-item={id}>
      <blockquote dir="auto">{found.text(id)}</blockquote>
      {note && <p class="note">{note}</p>}
      {votes && (votes.suppressed ? <p class="muted">{tooFew(found.outcomes)}</p> : <VoteBar votes={votes as StatementVotes & Counts} label={t('outcomes.everybody')} />)}
      {votes && !votes.suppressed && votes.by_group.some((group) => !group.suppressed) && (
        <ul class="by-group">
          {votes.by_group.map((group) => (
            <li key={group.group}>
              {group.suppressed || group.people === null ? (
                <span class="muted">{`${groupName(group.group)}: ${tooFew(found.outcomes)}`}</span>
              ) : (
                <VoteBar votes={group as GroupVotes & Counts} label={t('outcomes.group', { name: groupName(group.group) })} seat={groupSeat(group.group)} letter={groupName(group.group)} />
              )}
            </li>
          ))}
        </ul>
      )}
      {children}
      <Evidence found={found} id={id} votes={votes} />
    </li>
  );
}

/** Agree, pass, disagree as one bar, with the numbers in words: the colour is never the only sign. */
export function VoteBar({ votes, label, seat, letter }: { votes: Counts; label: string; seat?: string; letter?: string }) {
  const passes = votes.people - votes.agrees - votes.disagrees;
  const parts = [
    ['agree', votes.agrees],
    ['pass', passes],
    ['disagree', votes.disagrees],
  ] as const;
  const share = votes.people > 0 ? votes.agrees / votes.people : 0;
  return (
    <div class={`vote-bar ${seat ?? ''}`}>
      {letter && (
        <b class="letter" aria-hidden="true">
          {letter}
        </b>
      )}
      <div class="bar" aria-hidden="true">
        {parts.map(([kind, count]) => count > 0 && <span key={kind} class={kind} style={{ flexGrow: count }} />)}
      </div>
      <p class="bar-text">
        <span class="visually-hidden">{label}: </span>
        <b data-testid="agree-share">{percent(share)}</b> {t('outcomes.agreeOf', { agrees: votes.agrees, people: votes.people })}
      </p>
    </div>
  );
}

function Evidence({ found, id, votes }: { found: Found; id: string; votes: StatementVotes | undefined }) {
  const item = found.item(id);
  if (!item) return null;
  const row = (name: string, one: { agrees?: number; disagrees?: number; people: number | null }) =>
    one.people === null ? [name, null, null, null, null] : [name, one.agrees, one.disagrees, one.people - (one.agrees ?? 0) - (one.disagrees ?? 0), one.people];
  return (
    <details class="evidence" data-testid="evidence">
      <summary>{t('outcomes.evidence')}</summary>
      <p>
        {t(`outcomes.origin.${item.origin as 'seed'}`)} {t('outcomes.seenIn', { rooms: item.rooms.join(', ') })}
      </p>
      {votes && (
        <DataTable
          columns={[t('outcomes.column.who'), t('outcomes.agree'), t('outcomes.disagree'), t('outcomes.pass'), t('outcomes.people')]}
          rows={[row(t('outcomes.everybody'), votes), ...(votes.by_group ?? []).map((group) => row(t('outcomes.group', { name: groupName(group.group) }), group))]}
          label={t('outcomes.votesTable')}
        />
      )}
      {item.quotes.length > 0 ? (
        <>
          <p>{t('outcomes.quotes')}</p>
          <ul class="quotes">
            {item.quotes.map((quote) => (
              <li key={quote.utterance}>
                <q dir="auto">{quote.text}</q>
                <span class="muted"> {[quote.speaker, t('outcomes.room', { n: quote.room })].filter(Boolean).join(', ')}</span>
              </li>
            ))}
          </ul>
        </>
      ) : (
        <p class="muted">{t('outcomes.quotes.none')}</p>
      )}
    </details>
  );
}
