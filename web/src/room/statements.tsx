/** The claims the group votes on. Tallies are shown only after one's own vote, so that nobody is led by the others'. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import type { RoomView, StatementView } from '../protocol/types';
import { Icon, type IconName } from '../ui/icons';
import { Citations } from '../ui/citations';
import { Translated } from '../ui/translated';
import { useDraft } from '../ui/controls';
import { sorted } from './captions';
import type { Session } from './session';

const VOTES: Array<[1 | -1 | 0, 'agree' | 'disagree' | 'pass', IconName]> = [
  [1, 'agree', 'check'],
  [-1, 'disagree', 'cross'],
  [0, 'pass', 'pass'],
];

export function Statements({ session }: { session: Session }) {
  const view = session.view.value;
  if (!view) return null;
  const statements = Object.values(view.statements);
  const open = view.agenda[view.stage?.index ?? -1]?.kind === 'statements' && view.closed_at == null;
  return (
    <div class="statements">
      <h2>{t('statements.title')}</h2>
      <p class="hint">{t(open ? 'statements.hint' : 'statements.closed')}</p>
      {statements.length === 0 && <p class="muted">{t('statements.none')}</p>}
      <ol class="statement-list">
        {statements.map((s) => (
          <li key={s.statement_id}>
            <Statement session={session} view={view} s={s} />
          </li>
        ))}
      </ol>
      {open && <Add session={session} view={view} />}
    </div>
  );
}

function Statement({ session, view, s }: { session: Session; view: RoomView; s: StatementView }) {
  const voted = s.my_vote != null;
  return (
    <article class={voted || !s.open ? 'statement voted' : 'statement'} data-testid="statement" data-statement={s.statement_id}>
      <Translated view={view} id={s.statement_id} text={s.text} class="statement-text" />
      <p class="statement-origin">
        {s.origin === 'ai' && <Icon name="spark" />}
        {s.mine ? t('origin.mine') : t(`origin.${s.origin as 'participant' | 'ai' | 'seed' | 'carried'}`)}
        {s.mine && s.open && (
          <button type="button" class="link" data-testid="statement-withdraw" onClick={() => void session.do({ type: 'statement.withdraw', statement_id: s.statement_id })}>
            {t('statements.withdraw')}
          </button>
        )}
      </p>
      {s.flagged && <p class="flagged">{t('flagged')}</p>}
      <div class="votes" role="group" aria-label={t('statements.vote')}>
        {VOTES.map(([value, name, icon]) => (
          <button key={name} type="button" class={`vote ${name}`} aria-pressed={s.my_vote === value} disabled={!s.open} data-testid={`vote-${name}`} onClick={() => void session.do({ type: 'statement.vote', statement_id: s.statement_id, value })}>
            <Icon name={icon} />
            {t(`vote.${name}`)}
          </button>
        ))}
      </div>
      {(voted || !s.open) && <Tally s={s} />}
      <Citations view={view} utterances={s.supports} label={t('cites.supports', { n: s.supports.length })} />
      <Citations view={view} utterances={s.contests} label={t('cites.contests', { n: s.contests.length })} />
    </article>
  );
}

/** How the group voted, as a bar and in words. */
export function Tally({ s }: { s: StatementView }) {
  const total = s.agree + s.disagree + s.passed;
  const part = (n: number) => (total > 0 ? `${(n / total) * 100}%` : '0');
  return (
    <div class="tally" data-testid="tally" data-agree={s.agree} data-disagree={s.disagree} data-pass={s.passed}>
      <div class="tally-bar" aria-hidden="true">
        <span class="agree" style={{ inlineSize: part(s.agree) }} />
        <span class="pass" style={{ inlineSize: part(s.passed) }} />
        <span class="disagree" style={{ inlineSize: part(s.disagree) }} />
      </div>
      <p>{t('tally', { agree: s.agree, disagree: s.disagree, pass: s.passed })}</p>
    </div>
  );
}

function Add({ session, view }: { session: Session; view: RoomView }) {
  const [text, setText] = useDraft(`statement.${view.room_id}`);
  const [supports, setSupports] = useState<readonly string[]>([]);
  const utterances = sorted(view).filter((u) => !u.struck && !u.hidden).slice(-40);
  const send = async () => {
    if (await session.do({ type: 'statement.add', text: text.trim(), supports: [...supports] })) {
      setText('');
      setSupports([]);
    }
  };
  return (
    <form
      class="add-statement"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <label for="statement-new">{t('statements.add')}</label>
      <textarea id="statement-new" data-testid="statement-new" maxLength={280} rows={3} value={text} dir="auto" aria-describedby="statement-new-hint" onInput={(event) => setText(event.currentTarget.value)} />
      <p id="statement-new-hint" class="hint">
        {t('statements.add.hint')}
      </p>
      {utterances.length > 0 && (
        <details class="pick-supports">
          <summary>{t('statements.supports', { n: supports.length })}</summary>
          <div class="pick-list">
            {utterances.map((u) => (
              <label key={u.utterance_id} class="pick">
                <input
                  type="checkbox"
                  checked={supports.includes(u.utterance_id)}
                  onChange={(event) => setSupports(event.currentTarget.checked ? [...supports, u.utterance_id].slice(-20) : supports.filter((id) => id !== u.utterance_id))}
                />
                <span dir="auto">
                  <strong>{view.members[u.participant_id]?.name}</strong> {u.text}
                </span>
              </label>
            ))}
          </div>
        </details>
      )}
      <button type="submit" class="button" disabled={text.trim() === ''} data-testid="statement-submit">
        {t('statements.submit')}
      </button>
    </form>
  );
}
