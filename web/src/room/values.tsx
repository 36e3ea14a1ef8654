/**
 * Values in a room: cards written in a form or with the assistant's help, cards that may be one value, and comparisons after the talk. Authors are
 * not shown, and nobody sees how others compare.
 */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import type { RoomView, ValuesCardView, ValuesView } from '../protocol/types';
import { Select, useDraft } from '../ui/controls';
import { Icon } from '../ui/icons';
import type { Session } from './session';
import './values.css';

type Props = { session: Session; view: RoomView; values: ValuesView };
const ANSWERS = [
  [1, 'wiser'],
  [-1, 'notWiser'],
  [0, 'unsure'],
] as const;

/** How many questions wait for the viewer. */
export function valuesWaiting(values: ValuesView): number {
  const alike = values.writing || values.comparing ? Object.values(values.alike).filter((pair) => pair.mine && pair.my_answer == null).length : 0;
  return alike + (values.comparing ? values.comparisons.filter((one) => one.my_answer == null).length : 0);
}

export function Values({ session, view, values }: Props) {
  const cards = Object.values(values.cards);
  return (
    <div class="statements values" data-testid="values">
      <h2>{t('values.title')}</h2>
      <p class="hint">{t(values.writing ? 'values.hint.writing' : values.comparing ? 'values.hint.comparing' : 'values.hint.over')}</p>
      {values.comparing && <Comparisons session={session} view={view} values={values} />}
      {values.writing && <Write session={session} view={view} values={values} />}
      {(values.writing || values.comparing) && <Alike session={session} view={view} values={values} />}
      <section class="values-cards" aria-label={t('values.cards')}>
        <h3>{t('values.cards')}</h3>
        {cards.length === 0 && <p class="muted">{t('values.none')}</p>}
        {cards.map((card) => (
          <Card key={card.card_id} card={card}>
            <p class="statement-origin">
              {card.context && values.contexts.length > 1 && <span dir="auto">{card.context}</span>}
              {card.drafted && (
                <span>
                  <Icon name="spark" /> {t('values.drafted')}
                </span>
              )}
              <span>{t(card.mine ? 'origin.mine' : card.seed ? 'origin.seed' : 'origin.participant')}</span>
              {card.mine && (values.writing || values.comparing) && (
                <button type="button" class="link" data-testid="card-withdraw" onClick={() => void session.do({ type: 'values.withdraw', card_id: card.card_id })}>
                  {t('statements.withdraw')}
                </button>
              )}
            </p>
            {card.stands_for.length > 0 && <p class="hint">{t('values.standsFor', { titles: card.stands_for.map((id) => values.cards[id]?.title ?? '').join(', ') })}</p>}
          </Card>
        ))}
      </section>
    </div>
  );
}

/** A card as people read it: its title, what one attends to, and the story behind it. */
function Card({ card, children }: { card: ValuesCardView; children?: preact.ComponentChildren }) {
  return (
    <article class="values-card" data-testid="values-card" data-card={card.card_id}>
      <h4 dir="auto">{card.title}</h4>
      <ul>
        {card.attends.map((line) => (
          <li key={line} dir="auto">
            {line}
          </li>
        ))}
      </ul>
      {card.story && (
        <details>
          <summary>{t('values.story')}</summary>
          <p dir="auto">{card.story}</p>
        </details>
      )}
      {children}
    </article>
  );
}

function Write({ session, view, values }: Props) {
  const [context, setContext] = useState(values.talk?.context ?? values.contexts[0] ?? '');
  const [title, setTitle] = useDraft(`value.title.${view.room_id}`);
  const [attends, setAttends] = useDraft(`value.attends.${view.room_id}`);
  const [story, setStory] = useDraft(`value.story.${view.room_id}`);
  const [call, setCall] = useState<string | null>(null);
  const mine = Object.values(values.cards).filter((card) => card.mine).length;
  if (mine >= values.cards_each) return <p class="checked">{t('values.enough', { n: mine })}</p>;
  const lines = attends.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const send = async () => {
    if (await session.do({ type: 'values.add', context, title: title.trim(), attends: lines.slice(0, 8), story: story.trim(), call_id: call })) {
      setTitle('');
      setAttends('');
      setStory('');
      setCall(null);
    }
  };
  return (
    <>
      {values.contexts.length > 1 ? (
        <Select label={t('values.context')} value={context} options={values.contexts.map((one) => ({ value: one, label: one }))} onChange={setContext} testid="values-context" />
      ) : (
        <p class="values-context" dir="auto">
          {context}
        </p>
      )}
      {values.guided && (
        <Guided
          key={context}
          session={session}
          view={view}
          values={values}
          context={context}
          onDraft={(draft) => {
            setTitle(draft.title);
            setAttends(draft.attends.join('\n'));
            setStory(draft.story);
            setCall(draft.call_id ?? null);
          }}
        />
      )}
      <form
        class="add-statement"
        data-testid="values-form"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <label for="value-title">{t('values.form.title')}</label>
        <input id="value-title" type="text" data-testid="values-title" maxLength={80} value={title} dir="auto" onInput={(event) => setTitle(event.currentTarget.value)} />
        <label for="value-attends">{t('values.form.attends')}</label>
        <textarea id="value-attends" data-testid="values-attends" rows={4} maxLength={1200} value={attends} dir="auto" aria-describedby="value-attends-hint" onInput={(event) => setAttends(event.currentTarget.value)} />
        <p id="value-attends-hint" class="hint">
          {t('values.form.attends.hint')}
        </p>
        <label for="value-story">{t('values.form.story')}</label>
        <textarea id="value-story" data-testid="values-story" rows={2} maxLength={1000} value={story} dir="auto" onInput={(event) => setStory(event.currentTarget.value)} />
        {call && <p class="hint">{t('values.form.drafted')}</p>}
        <button type="submit" class="button primary" disabled={title.trim().length < 2 || lines.length === 0} data-testid="values-submit">
          {t('values.form.submit')}
        </button>
      </form>
    </>
  );
}

/** The chat with the drafting assistant. Nobody else sees it; when it fails, the form is right below. */
function Guided({ session, view, values, context, onDraft }: Props & { context: string; onDraft: (draft: NonNullable<NonNullable<ValuesView['talk']>['draft']>) => void }) {
  const [text, setText] = useDraft(`value.talk.${view.room_id}`);
  const talk = values.talk?.context === context ? values.talk : null;
  const send = async () => {
    if (await session.do({ type: 'values.tell', context, text: text.trim() })) setText('');
  };
  return (
    <details class="values-talk" open={talk != null}>
      <summary data-testid="values-help">{t('values.talk.open')}</summary>
      <p class="hint">{t('values.talk.about')}</p>
      <div class="values-lines" role="log" aria-label={t('values.talk.open')}>
        <p class="ai" dir="auto">
          {t('values.talk.first')}
        </p>
        {talk?.lines.map((line, index) => (
          <p key={index} class={line.by} dir="auto">
            {line.text}
          </p>
        ))}
        {talk?.waiting && <p class="ai muted">{t('values.talk.waiting')}</p>}
      </div>
      {talk?.failed && <p class="problem">{t('values.talk.failed')}</p>}
      {talk?.draft ? (
        <div class="values-card" data-testid="values-draft">
          <h4 dir="auto">{talk.draft.title}</h4>
          <ul>
            {talk.draft.attends.map((line) => (
              <li key={line} dir="auto">
                {line}
              </li>
            ))}
          </ul>
          {talk.draft.story && <p dir="auto">{talk.draft.story}</p>}
          <button type="button" class="button small" data-testid="values-use-draft" onClick={() => talk.draft && onDraft(talk.draft)}>
            {t('values.talk.use')}
          </button>
        </div>
      ) : null}
      {!talk?.over && (
        <form
          class="add-statement"
          onSubmit={(event) => {
            event.preventDefault();
            void send();
          }}
        >
          <label for="value-talk">{t('values.talk.answer')}</label>
          <textarea id="value-talk" data-testid="values-tell" rows={2} maxLength={1000} value={text} dir="auto" onInput={(event) => setText(event.currentTarget.value)} />
          <button type="submit" class="button small" disabled={text.trim() === '' || talk?.waiting} data-testid="values-tell-send">
            {t('values.talk.send')}
          </button>
        </form>
      )}
    </details>
  );
}

/** Pairs of cards that read alike: the author of the later one or a majority makes them one value. */
function Alike({ session, values }: Props) {
  const pairs = Object.values(values.alike);
  if (pairs.length === 0) return null;
  return (
    <section class="values-alike">
      <h3>{t('values.alike')}</h3>
      <p class="hint">{t('values.alike.hint')}</p>
      {pairs.map((pair) => {
        const [first, second] = [values.cards[pair.first_card], values.cards[pair.second_card]];
        if (!first || !second) return null;
        return (
          <div key={`${pair.first_card} ${pair.second_card}`} class="values-pair" data-testid="values-alike">
            <Card card={first} />
            <Card card={second} />
            <div class="votes" role="group" aria-label={t('values.alike')}>
              {([true, false] as const).map((same) => (
                <button
                  key={String(same)}
                  type="button"
                  class="vote"
                  aria-pressed={pair.my_answer === same}
                  data-testid={same ? 'values-same' : 'values-different'}
                  onClick={() => void session.do({ type: 'values.same', first_card: pair.first_card, second_card: pair.second_card, same })}
                >
                  {t(same ? 'values.same' : 'values.different')}
                </button>
              ))}
            </div>
          </div>
        );
      })}
    </section>
  );
}

function Comparisons({ session, view, values }: Props) {
  const left = values.comparisons.filter((one) => one.my_answer == null).length;
  if (values.comparisons.length === 0) return <p class="muted">{t('values.compare.none')}</p>;
  return (
    <section class="values-compare" data-testid="values-compare" data-left={left}>
      <p role="status" class={left === 0 ? 'checked' : 'hint'}>
        {left === 0 ? t('values.compare.done', { done: values.compared, all: Object.values(view.members).filter((one) => one.presence !== 'left').length }) : t('values.compare.left', { n: left })}
      </p>
      <ol class="values-questions">
        {values.comparisons.map((one) => {
          const [from, to] = [values.cards[one.from_card], values.cards[one.to_card]];
          if (!from || !to) return null;
          return (
            <li key={`${one.from_card} ${one.to_card} ${one.context}`} class={one.my_answer == null ? 'values-question' : 'values-question answered'} data-testid="values-question">
              <p class="values-context" dir="auto">
                {one.context}
              </p>
              <div class="values-pair">
                <Card card={from} />
                <Card card={to} />
              </div>
              <p dir="auto">{t('values.compare.ask', { to: to.title, from: from.title })}</p>
              <div class="votes" role="group" aria-label={t('values.compare.ask', { to: to.title, from: from.title })}>
                {ANSWERS.map(([answer, name]) => (
                  <button
                    key={name}
                    type="button"
                    class="vote"
                    aria-pressed={one.my_answer === answer}
                    data-testid={`compare-${name}`}
                    onClick={() => void session.do({ type: 'values.wiser', from_card: one.from_card, to_card: one.to_card, context: one.context, answer })}
                  >
                    {t(`values.compare.${name}`)}
                  </button>
                ))}
              </div>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
