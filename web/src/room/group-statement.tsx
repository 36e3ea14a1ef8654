/**
 * The search for a text that the whole group can stand behind: rank the drafts in private, say what to change, rank again, stand behind the
 * result or not. What is not sent yet lives here alone. The result, with its dissent, stays on the page and in the review.
 */
import { useEffect, useState } from 'preact/hooks';
import { number, t } from '../i18n';
import type { CandidateView, GroupStatementView, RoomView } from '../protocol/types';
import { announce } from '../ui/announce';
import { Citations } from '../ui/citations';
import { clock, now, useDraft } from '../ui/controls';
import { Icon } from '../ui/icons';
import { Original } from '../ui/translated';
import { Move } from './ballot';
import type { Session } from './session';

interface Props {
  view: RoomView;
  one: GroupStatementView;
  session: Session | null;
  onJump?: ((utterance: string) => void) | undefined;
}

export function GroupStatements({ view, session, onJump }: { view: RoomView; session: Session | null; onJump?: (utterance: string) => void }) {
  return (
    <>
      {Object.values(view.group_statements).map((one) => (
        <section key={one.stage_id} class="group-statement" data-testid="group-statement" data-step={one.step} data-round={one.round}>
          <h2 dir="auto">{one.title}</h2>
          <Step view={view} one={one} session={session} onJump={onJump} />
        </section>
      ))}
    </>
  );
}

/** Whether a step of the search waits for this person. */
export function waitsForMe(one: GroupStatementView): boolean {
  if (!one.open) return false;
  return (one.step === 'ranking' && one.my_order.length === 0) || (one.step === 'critique' && one.my_critique == null) || (one.step === 'final' && one.my_stance == null);
}

function Step(props: Props) {
  const { one, session } = props;
  if (one.step === 'final') return <Result {...props} />;
  if (one.step === 'empty') return <p class="muted">{t('group.empty')}</p>;
  if (!one.open || !session) return <p class="muted">{t('group.none')}</p>;
  switch (one.step) {
    case 'ranking':
      return <Ranking key={one.round} {...props} session={session} />;
    case 'critique':
      return <CritiqueForm {...props} session={session} />;
    default:
      return (
        <>
          <p role="status" class="hint">
            {t(one.step === 'drafting' ? 'group.drafting' : 'group.revising')}
          </p>
          {one.winner && <Text {...props} candidate={one.winner} />}
          {one.step === 'revising' && <Critiques one={one} />}
        </>
      );
  }
}

/** How many have done their part, and how long the step may still take. */
function Progress({ one }: { one: GroupStatementView }) {
  const left = one.closes_at == null ? null : Math.max(0, one.closes_at - now.value);
  return (
    <p class="hint" data-testid="group-progress">
      {t('group.answered', { done: one.answered, all: one.asked })}
      {left != null && left > 0 && ` ${t('group.left', { left: clock(left) })}`}
    </p>
  );
}

function Ranking({ view, one, session }: Props & { session: Session }) {
  const standing = one.options.map((option) => option.candidate_id);
  const sent = one.my_order.length > 0;
  const [order, setOrder] = useState<readonly string[]>(sent ? one.my_order : standing);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (sent) setOrder(one.my_order);
  }, [one.my_order.join(' ')]);
  const shown = order.map((id) => one.options.find((option) => option.candidate_id === id)).filter((option) => option !== undefined);
  const changed = order.join(' ') !== one.my_order.join(' ');
  const move = (from: number, to: number) => {
    const next = [...order];
    const [id] = next.splice(from, 1);
    if (id === undefined) return;
    next.splice(to, 0, id);
    setOrder(next);
    announce(t('group.moved', { from: from + 1, to: to + 1 }));
  };
  return (
    <form
      class="group-ranking"
      onSubmit={(event) => {
        event.preventDefault();
        setBusy(true);
        void session.do({ type: 'group_statement.rank', stage_id: one.stage_id, order: [...order] }).finally(() => setBusy(false));
      }}
    >
      <p class="hint">{t(one.round === 1 ? 'group.rank.hint' : 'group.rerank.hint')}</p>
      {one.round === 2 && <Critiques one={one} />}
      <ol class="ballot-order" data-testid="group-options">
        {shown.map((option, index) => (
          <li key={option.candidate_id} class="ballot-option" data-testid="group-option" data-candidate={option.candidate_id}>
            <b class="place">{number(index + 1)}</b>
            <Text view={view} one={one} session={session} candidate={option} />
            <span class="ballot-moves">
              <Move label={t('ballot.up')} of={t('group.text', { n: index + 1 })} sign="↑" disabled={index === 0} onClick={() => move(index, index - 1)} />
              <Move label={t('ballot.down')} of={t('group.text', { n: index + 1 })} sign="↓" disabled={index === shown.length - 1} onClick={() => move(index, index + 1)} />
            </span>
          </li>
        ))}
      </ol>
      <button type="submit" class="button primary" data-testid="group-rank" disabled={busy || (sent && !changed)}>
        {t(sent ? 'group.rank.again' : 'group.rank')}
      </button>
      <p role="status" class={sent && !changed ? 'checked' : 'hint'}>
        {t(!sent ? 'group.rank.private' : changed ? 'group.rank.changed' : 'group.rank.done')}
      </p>
      <Progress one={one} />
    </form>
  );
}

function CritiqueForm({ view, one, session }: Props & { session: Session }) {
  const [text, setText] = useDraft(`critique.${view.room_id}.${one.stage_id}`);
  const [busy, setBusy] = useState(false);
  const send = (words: string) => {
    setBusy(true);
    void session.do({ type: 'group_statement.critique', stage_id: one.stage_id, text: words }).finally(() => setBusy(false));
  };
  return (
    <>
      <p class="hint">{t('group.chosen', { first: one.first, ranked: one.ranked })}</p>
      {one.winner && <Text view={view} one={one} session={session} candidate={one.winner} />}
      <form
        class="add-statement"
        onSubmit={(event) => {
          event.preventDefault();
          send(text.trim());
        }}
      >
        <label for="group-critique">{t('group.critique')}</label>
        <textarea id="group-critique" rows={3} maxLength={500} dir="auto" value={text} aria-describedby="group-critique-hint" data-testid="group-critique-text" onInput={(event) => setText(event.currentTarget.value)} />
        <p id="group-critique-hint" class="hint">
          {t('group.critique.hint')}
        </p>
        <p class="group-buttons">
          <button type="submit" class="button primary" data-testid="group-critique" disabled={busy || text.trim() === '' || text.trim() === one.my_critique}>
            {t('group.critique.send')}
          </button>
          <button type="button" class="button" data-testid="group-critique-none" disabled={busy || one.my_critique === ''} onClick={() => send('')}>
            {t('group.critique.none')}
          </button>
        </p>
        {one.my_critique != null && (
          <p role="status" class="checked" data-testid="group-critique-done">
            {t(one.my_critique === '' ? 'group.critique.noneDone' : 'group.critique.done')}
          </p>
        )}
      </form>
      <Progress one={one} />
    </>
  );
}

function Critiques({ one }: { one: GroupStatementView }) {
  const texts = Object.entries(one.critiques);
  if (texts.length === 0) return null;
  return (
    <details class="citations" data-testid="group-critiques">
      <summary>{t('group.critiques', { n: texts.length })}</summary>
      {texts.map(([id, text]) => (
        <blockquote key={id} class="citation">
          <p dir="auto">{text}</p>
        </blockquote>
      ))}
    </details>
  );
}

function Result(props: Props) {
  const { view, one, session } = props;
  const shown = one.my_stance != null || !one.open || !session;
  return (
    <>
      {one.winner && <Text {...props} candidate={one.winner} large />}
      <p class="hint">
        {t(`group.by.${(one.winner?.method ?? 'extraction') as 'model' | 'extraction' | 'kept'}`)} {t('group.chosen', { first: one.first, ranked: one.ranked })}
        {one.dropped > 0 && ` ${t('group.dropped', { n: one.dropped })}`}
      </p>
      {one.open && session && <StanceForm view={view} one={one} session={session} />}
      {shown && (
        <p class="group-tally" data-testid="group-tally" data-behind={one.behind} data-against={one.against}>
          {t('group.stances', { behind: one.behind, against: one.against })}
        </p>
      )}
      {one.dissent.length > 0 && (
        <section class="group-dissent" data-testid="group-dissent">
          <h3>{t('group.dissent')}</h3>
          {one.dissent.map((text, index) => (
            <blockquote key={index} class="citation">
              <p dir="auto">{text}</p>
            </blockquote>
          ))}
        </section>
      )}
      <Critiques one={one} />
    </>
  );
}

function StanceForm({ view, one, session }: { view: RoomView; one: GroupStatementView; session: Session }) {
  const [text, setText] = useDraft(`stance.${view.room_id}.${one.stage_id}`);
  const stand = (value: 1 | -1) => void session.do({ type: 'group_statement.stand', stage_id: one.stage_id, value, text: text.trim() });
  return (
    <form class="add-statement" onSubmit={(event) => event.preventDefault()}>
      <label for="group-words">{t('group.words')}</label>
      <textarea id="group-words" rows={2} maxLength={500} dir="auto" value={text} aria-describedby="group-words-hint" data-testid="group-words" onInput={(event) => setText(event.currentTarget.value)} />
      <p id="group-words-hint" class="hint">
        {t('group.words.hint')}
      </p>
      <div class="votes" role="group" aria-label={t('group.stance')}>
        <button type="button" class="vote agree" aria-pressed={one.my_stance === 1} data-testid="group-behind" onClick={() => stand(1)}>
          <Icon name="check" />
          {t('group.behind')}
        </button>
        <button type="button" class="vote disagree" aria-pressed={one.my_stance === -1} data-testid="group-against" onClick={() => stand(-1)}>
          <Icon name="cross" />
          {t('group.against')}
        </button>
      </div>
    </form>
  );
}

/** One text, with what it rests on; translated as a whole where its reader has another language. */
function Text({ view, one, candidate, large, onJump }: Props & { candidate: CandidateView; large?: boolean }) {
  const cited = (list: 'utterances' | 'statements' | 'critiques') => [...new Set(candidate.sentences.flatMap((sentence) => sentence[list]))];
  const statements = cited('statements');
  const critiques = cited('critiques').filter((id) => one.critiques[id]);
  const utterances = cited('utterances');
  const translation = view.translations[candidate.candidate_id];
  const words = (
    <p class={large ? 'group-text large' : 'group-text'} dir="auto" data-testid="group-text">
      {candidate.sentences.map((sentence) => sentence.text).join(' ') || t('words.struck')}
    </p>
  );
  return (
    <div class="group-candidate">
      {translation === undefined ? (
        words
      ) : (
        <>
          <p class={large ? 'group-text large' : 'group-text'} dir="auto" data-testid="translated">
            {translation}
          </p>
          <Original>{words}</Original>
        </>
      )}
      {candidate.sentences.some((sentence) => sentence.flagged) && <p class="flagged">{t('flagged')}</p>}
      <Citations view={view} utterances={utterances} label={t('cites.words', { n: utterances.length })} {...(onJump ? { onJump } : {})} />
      {statements.length + critiques.length > 0 && (
        <details class="citations">
          <summary>{t('cites.statements', { n: statements.length + critiques.length })}</summary>
          {statements.map((id) => (
            <blockquote key={id} class="citation">
              <p dir="auto">{view.statements[id]?.text ?? t('words.struck')}</p>
            </blockquote>
          ))}
          {critiques.map((id) => (
            <blockquote key={id} class="citation">
              <p dir="auto">{one.critiques[id]}</p>
            </blockquote>
          ))}
        </details>
      )}
    </div>
  );
}
