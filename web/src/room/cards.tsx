/**
 * The facilitator's cards: labelled as AI (or as a human's), with why each appeared and the numbers behind it. The newest of the stage is shown
 * until dismissed, an earlier one beside it while it is fresh; all of them stay in the AI record.
 */
import { maybe, number, t } from '../i18n';
import type { CardView, RoomView } from '../protocol/types';
import { low, narrow, now } from '../ui/controls';
import { Icon } from '../ui/icons';
import { Translated } from '../ui/translated';
import type { Session } from './session';

const SHOWN_SECONDS = 150;

export function Cards({ session, view }: { session: Session; view: RoomView }) {
  const cards = Object.values(view.cards)
    .filter((card) => !session.dismissed.value.has(card.intervention_id) && card.stage_id === (view.stage?.stage_id ?? ''))
    .sort((a, b) => b.at - a.at)
    .filter((card, index) => index === 0 || now.value - card.at < SHOWN_SECONDS)
    .slice(0, narrow.value || low.value ? 1 : 2);
  if (cards.length === 0) return null;
  return (
    <section class="cards" aria-label={t('cards')}>
      {cards.map((card) => (
        <Card key={card.intervention_id} session={session} view={view} card={card} />
      ))}
    </section>
  );
}

function Card({ session, view, card }: { session: Session; view: RoomView; card: CardView }) {
  const answer = (value: 'helpful' | 'not_helpful' | 'declined' | 'accepted') => void session.do({ type: 'intervention.answer', intervention_id: card.intervention_id, answer: value });
  const ai = card.by === 'ai';
  return (
    <article class={`card ${ai ? 'ai' : 'human'}${card.private ? ' private' : ''}`} data-testid="card" data-rule={card.rule} data-card={card.intervention_id}>
      <header class="card-head">
        <span class="card-by">
          <Icon name={ai ? 'spark' : 'human'} />
          {t(ai ? 'card.ai' : 'card.human')}
        </span>
        {card.private && <span class="card-private">{t('card.private')}</span>}
        <button type="button" class="icon-button small" aria-label={t('card.dismiss')} title={t('card.dismiss')} data-testid="card-dismiss" onClick={() => session.dismiss(card.intervention_id)}>
          <Icon name="close" />
        </button>
      </header>
      <Translated view={view} id={card.intervention_id} text={card.text} class="card-text" />
      <footer class="card-foot">
        <Actions session={session} card={card} answer={answer} />
        <Why card={card} />
        {ai && (
          <span class="card-feedback" role="group" aria-label={t('card.feedback')}>
            <button type="button" class="button tiny" aria-pressed={card.my_answer === 'helpful'} data-testid="card-helpful" onClick={() => answer('helpful')}>
              {t('card.helpful')}
            </button>
            <button type="button" class="button tiny" aria-pressed={card.my_answer === 'not_helpful'} data-testid="card-not-helpful" onClick={() => answer('not_helpful')}>
              {t('card.notHelpful')}
            </button>
          </span>
        )}
      </footer>
    </article>
  );
}

/** Why a card appeared, the rule that fired, and the numbers that made it fire. */
export function Why({ card }: { card: CardView }) {
  const numbers = Object.entries(card.numbers);
  return (
    <details class="why" data-testid="card-why">
      <summary>{t('card.why')}</summary>
      <div class="why-body">
        <p dir="auto">{card.why}</p>
        <p class="rule-name">
          {t('card.rule')} <code>{card.rule}</code>
        </p>
        {numbers.length > 0 && (
          <dl class="numbers">
            {numbers.map(([name, value]) => (
              <div key={name}>
                <dt>{maybe(`number.${name}`) ?? name.replaceAll('_', ' ')}</dt>
                <dd>{number(value, 2)}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </details>
  );
}

function Actions({ session, card, answer }: { session: Session; card: CardView; answer: (value: 'declined' | 'accepted') => void }) {
  if (card.actions.length === 0) return null;
  if (card.my_answer === 'declined') return <p class="muted">{t('card.declined')}</p>;
  if (card.my_answer === 'accepted') return <p class="muted">{t('card.accepted')}</p>;
  const act = (action: string) => {
    switch (action) {
      case 'speak':
        answer('accepted');
        return session.toggleHand();
      case 'decline':
        return answer('declined');
      case 'move_on':
        return void session.do({ type: 'stage.ready', ready: true });
      case 'more_time':
        return void session.do({ type: 'stage.more_time' });
      case 'here':
        return answer('accepted');
      case 'call_human':
        return void session.do({ type: 'help.call' });
    }
  };
  return (
    <p class="card-actions">
      {card.actions.map((action) => (
        <button key={action} type="button" class={action === 'decline' ? 'button small quiet' : 'button small'} data-testid={`card-action-${action}`} onClick={() => act(action)}>
          {maybe(`action.${action}`) ?? action}
        </button>
      ))}
    </p>
  );
}
