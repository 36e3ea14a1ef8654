/**
 * A ballot stage: the paper in the form its rule asks for, the count of those who have voted, and the result once the stage is over. What is
 * being filled in lives here alone until it is cast; ranking works by buttons, by keyboard and by dragging.
 */
import { useEffect, useState } from 'preact/hooks';
import { number, t } from '../i18n';
import type { BallotView, CastBallot, OptionView, RoomView } from '../protocol/types';
import { announce } from '../ui/announce';
import { Icon } from '../ui/icons';
import type { Session } from './session';

interface Draft {
  ranking: readonly string[];
  approves: readonly string[];
  votes: Readonly<Record<string, number>>;
}
type PaperProps = { ballot: BallotView; draft: Draft; onChange: (draft: Draft) => void };

export function Ballots({ session, view }: { session: Session; view: RoomView }) {
  return (
    <>
      {Object.values(view.ballots).map((ballot) => (
        <section key={ballot.stage_id} class="ballot" data-testid="ballot" data-rule={ballot.rule}>
          <h2 dir="auto">{ballot.title}</h2>
          {ballot.options.length === 0 ? <p class="muted">{t('ballot.none')}</p> : ballot.open ? <Open session={session} view={view} ballot={ballot} /> : <BallotResult ballot={ballot} />}
        </section>
      ))}
    </>
  );
}

function Open({ session, view, ballot }: { session: Session; view: RoomView; ballot: BallotView }) {
  const cast = draftOf(ballot);
  const [draft, setDraft] = useState<Draft>(cast);
  const [busy, setBusy] = useState(false);
  const standing = ballot.options.map((option) => option.id).join(' ');
  useEffect(() => setDraft(draftOf(ballot)), [JSON.stringify(ballot.mine), standing]); // as cast elsewhere, or as the paper stands now
  const changed = JSON.stringify(draft) !== JSON.stringify(cast);
  const left = ballot.budget - spent(ballot, draft);
  const blank = draft.ranking.length + draft.approves.length + Object.values(draft.votes).reduce((sum, n) => sum + n, 0) === 0;
  const Paper = { approval: Choices, plurality: Choices, irv: Order, schulze: Order, weighted: Credits, quadratic: Credits }[ballot.rule];
  return (
    <form
      class="ballot-paper"
      onSubmit={(event) => {
        event.preventDefault();
        setBusy(true);
        void session.do(command(ballot, draft)).finally(() => setBusy(false));
      }}
    >
      <p class="hint">
        {t(`ballot.hint.${ballot.rule}`)} {t('ballot.seats', { n: ballot.seats })}
      </p>
      {ballot.power_by && ballot.my_power !== 1 && <p class="hint">{t('ballot.power', { power: ballot.my_power, segment: ballot.power_by })}</p>}
      <Paper ballot={ballot} draft={draft} onChange={setDraft} />
      {(ballot.rule === 'weighted' || ballot.rule === 'quadratic') && (
        <p class="ballot-left" role="status" data-testid="ballot-left" data-left={left}>
          <meter min={0} max={ballot.budget} value={left} aria-hidden="true" />
          {t('ballot.left', { n: left, budget: ballot.budget })}
        </p>
      )}
      <button type="submit" class="button primary" data-testid="ballot-cast" disabled={busy || (ballot.mine != null && !changed)}>
        {t(blank ? 'ballot.blank' : ballot.mine ? 'ballot.recast' : 'ballot.cast')}
      </button>
      <p role="status" class={ballot.mine && !changed ? 'checked' : 'hint'} data-testid="ballot-state">
        {t(!ballot.mine ? 'ballot.secret' : changed ? 'ballot.changed' : 'ballot.done')}
      </p>
      <p class="hint" data-testid="ballot-turnout">
        {t('ballot.turnout', { cast: ballot.cast, all: Object.values(view.members).filter((member) => member.presence !== 'left').length })}
      </p>
    </form>
  );
}

/** Approval and plurality: boxes or one choice. */
function Choices({ ballot, draft, onChange }: PaperProps) {
  const one = ballot.rule === 'plurality';
  const chosen = one ? draft.ranking : draft.approves;
  return (
    <fieldset class="ballot-options">
      <legend class="visually-hidden">{t(`ballot.hint.${ballot.rule}`)}</legend>
      {ballot.options.map((option) => (
        <label key={option.id} class="ballot-option" data-testid="ballot-option" data-option={option.id}>
          <input
            type={one ? 'radio' : 'checkbox'}
            name={`ballot-${ballot.stage_id}`}
            checked={chosen.includes(option.id)}
            onChange={() => {
              if (one) onChange({ ...draft, ranking: [option.id] });
              else onChange({ ...draft, approves: ballot.options.map((o) => o.id).filter((id) => chosen.includes(id) !== (id === option.id)) });
            }}
          />
          <span dir="auto">{option.text}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Ranked rules: one's own order above, what is not in it below. */
function Order({ ballot, draft, onChange }: PaperProps) {
  const [dragged, setDragged] = useState<string | null>(null);
  const words = (id: string) => ballot.options.find((option) => option.id === id)?.text ?? '';
  const order = draft.ranking;
  const rest = ballot.options.filter((option) => !order.includes(option.id));
  const place = (id: string, to: number) => {
    const others = order.filter((one) => one !== id);
    const at = Math.max(0, Math.min(to, others.length));
    onChange({ ...draft, ranking: [...others.slice(0, at), id, ...others.slice(at)] });
    announce(t('ballot.moved', { text: words(id), place: at + 1 }));
  };
  const remove = (id: string) => {
    onChange({ ...draft, ranking: order.filter((one) => one !== id) });
    announce(t('ballot.removed', { text: words(id) }));
  };
  const drag = (id: string) => ({
    draggable: true,
    onDragStart: () => setDragged(id),
    onDragEnd: () => setDragged(null),
  });
  const drop = (index: number) => ({
    onDragOver: (event: DragEvent) => event.preventDefault(),
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      event.stopPropagation();
      if (dragged) place(dragged, index);
    },
  });
  return (
    <>
      <h3>{t('ballot.ranked')}</h3>
      <ol class="ballot-order" {...drop(order.length)} data-testid="ballot-order">
        {order.length === 0 && <li class="ballot-empty muted">{t('ballot.unranked.all')}</li>}
        {order.map((id, index) => (
          <li key={id} class={dragged === id ? 'ballot-option dragged' : 'ballot-option'} data-option={id} {...drag(id)} {...drop(index)}>
            <b class="ballot-place">{number(index + 1)}</b>
            <span dir="auto">{words(id)}</span>
            <span class="ballot-moves">
              <Move label={t('ballot.up')} of={words(id)} sign="↑" disabled={index === 0} onClick={() => place(id, index - 1)} />
              <Move label={t('ballot.down')} of={words(id)} sign="↓" disabled={index === order.length - 1} onClick={() => place(id, index + 1)} />
              <Move label={t('ballot.remove')} of={words(id)} sign="×" onClick={() => remove(id)} />
            </span>
          </li>
        ))}
      </ol>
      {rest.length > 0 && <h3>{t('ballot.unranked')}</h3>}
      <ul class="ballot-order">
        {rest.map((option: OptionView) => (
          <li key={option.id} class="ballot-option" data-testid="ballot-option" data-option={option.id} {...drag(option.id)}>
            <span dir="auto">{option.text}</span>
            <button type="button" class="button small" data-testid="ballot-add" onClick={() => place(option.id, order.length)}>
              {t('ballot.add')}
              <span class="visually-hidden"> {option.text}</span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

export function Move({ label, of, sign, disabled, onClick }: { label: string; of: string; sign: string; disabled?: boolean; onClick: () => void }) {
  return (
    <button type="button" class="button small" aria-label={`${label}: ${of}`} title={label} disabled={disabled} onClick={onClick}>
      <span aria-hidden="true">{sign}</span>
    </button>
  );
}

/** Weighted and quadratic: votes by steps, each with what it costs, never more than the budget. */
function Credits({ ballot, draft, onChange }: PaperProps) {
  const set = (id: string, votes: number) => onChange({ ...draft, votes: { ...draft.votes, [id]: votes } });
  const left = ballot.budget - spent(ballot, draft);
  return (
    <ul class="ballot-order">
      {ballot.options.map((option) => {
        const votes = draft.votes[option.id] ?? 0;
        const price = cost(ballot, votes + 1) - cost(ballot, votes);
        const credits = t('ballot.credits', { n: cost(ballot, votes) });
        return (
          <li key={option.id} class="ballot-option" data-testid="ballot-option" data-option={option.id}>
            <span dir="auto">{option.text}</span>
            <span class="ballot-moves">
              <Move label={t('ballot.less')} of={option.text} sign="−" disabled={votes === 0} onClick={() => set(option.id, votes - 1)} />
              <output class="figure" aria-live="polite">
                {ballot.rule === 'quadratic' ? t('ballot.votes', { n: votes, credits }) : credits}
              </output>
              <Move label={t('ballot.more')} of={option.text} sign="+" disabled={price > left} onClick={() => set(option.id, votes + 1)} />
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** How a ballot came out: places, ties sharing one, with the rule's own score. */
export function BallotResult({ ballot }: { ballot: BallotView }) {
  const { result } = ballot;
  const words = new Map(ballot.options.map((option) => [option.id, option.text]));
  if (!result || result.people === 0) return <p class="muted">{t(ballot.open ? 'ballot.secret' : 'ballot.resultNone')}</p>;
  const most = Math.max(...result.standings.map((one) => one.score), 1);
  return (
    <div data-testid="ballot-result">
      <p>{t('ballot.result', { n: result.people })}</p>
      <ol class="ballot-order">
        {result.standings.map((one) => (
          <li key={one.id} value={one.place} class={one.won ? 'ballot-option won' : 'ballot-option'} data-option={one.id} data-score={one.score}>
            <b class="ballot-place">{number(one.place)}</b>
            <span dir="auto">{words.get(one.id)}</span>
            <span class="ballot-score">
              {one.won && (
                <b>
                  <Icon name="check" /> {t('ballot.won')}
                </b>
              )}{' '}
              {t(`ballot.score.${ballot.rule}`, { score: number(one.score, 1) })}
            </span>
            <meter class="ballot-bar" min={0} max={most} value={one.score} aria-hidden="true" />
          </li>
        ))}
      </ol>
    </div>
  );
}

/** Every ballot of a room that is over, for the review and the monitor. */
export function BallotResults({ view }: { view: RoomView }) {
  const members = Object.values(view.members).filter((member) => member.presence !== 'left').length;
  return (
    <>
      {Object.values(view.ballots).map((ballot) => (
        <section key={ballot.stage_id} class="ballot" data-testid="ballot">
          <h3 dir="auto">{ballot.title}</h3>
          <p class="hint">
            {t(`ballot.rule.${ballot.rule}`)} · {t('ballot.turnout', { cast: ballot.cast, all: Math.max(members, ballot.cast) })}
          </p>
          <BallotResult ballot={ballot} />
        </section>
      ))}
    </>
  );
}

function cost(ballot: BallotView, votes: number): number {
  return ballot.rule === 'quadratic' ? votes * votes : votes;
}

function spent(ballot: BallotView, draft: Draft): number {
  return Object.values(draft.votes).reduce((sum, votes) => sum + cost(ballot, votes), 0);
}

/** The ballot as cast, on the options that still stand. */
function draftOf(ballot: BallotView): Draft {
  const standing = new Set(ballot.options.map((option) => option.id));
  const credits = Object.entries(ballot.mine?.allocation ?? {}).filter(([id]) => standing.has(id));
  return {
    ranking: (ballot.mine?.ranking ?? []).flat().filter((id) => standing.has(id)),
    approves: (ballot.mine?.approves ?? []).filter((id) => standing.has(id)),
    votes: Object.fromEntries(credits.map(([id, amount]) => [id, ballot.rule === 'quadratic' ? Math.round(Math.sqrt(amount)) : amount])),
  };
}

function command(ballot: BallotView, draft: Draft): CastBallot {
  const allocation = Object.fromEntries(Object.entries(draft.votes).map(([id, votes]) => [id, cost(ballot, votes)]));
  const whole = { type: 'ballot.cast' as const, stage_id: ballot.stage_id };
  if (ballot.rule === 'approval') return { ...whole, approves: [...draft.approves] };
  if (ballot.rule === 'weighted' || ballot.rule === 'quadratic') return { ...whole, allocation };
  return { ...whole, ranking: draft.ranking.map((id) => [id]) };
}
