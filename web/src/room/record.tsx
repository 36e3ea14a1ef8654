/** The AI record: everything the AI said and why, and every call to a language model. Shown during the room, afterwards and in the review. */
import { maybe, t } from '../i18n';
import type { RoomView } from '../protocol/types';
import { Icon } from '../ui/icons';
import { since } from './captions';
import { Why } from './cards';

export function Record({ view }: { view: RoomView }) {
  const cards = Object.values(view.cards).sort((a, b) => a.at - b.at);
  const calls = Object.values(view.ledger).sort((a, b) => a.at - b.at);
  return (
    <div class="record" data-testid="ledger">
      <h2>{t('record.title')}</h2>
      <p class="hint">{t(view.facilitation === 'off' ? 'record.off' : view.facilitation === 'rules' ? 'record.rules' : 'record.model')}</p>
      {view.facilitation_paused && <p class="flagged">{t('record.paused')}</p>}
      <h3>{t('record.said', { n: cards.length })}</h3>
      {cards.length === 0 && <p class="muted">{t('record.nothing')}</p>}
      <ol class="record-list">
        {cards.map((card) => (
          <li key={card.intervention_id} class="record-entry" data-testid="ledger-card" data-rule={card.rule}>
            <p class="record-head">
              <Icon name={card.by === 'ai' ? 'spark' : 'human'} />
              <span>{since(view, card.at)}</span>
              <span>{t(card.by === 'ai' ? 'card.ai' : 'card.human')}</span>
              {card.private && <span class="card-private">{t('record.private')}</span>}
            </p>
            <p dir="auto">{card.text}</p>
            <Why card={card} />
            {(card.helpful > 0 || card.not_helpful > 0) && <p class="muted">{t('record.feedback', { helpful: card.helpful, not: card.not_helpful })}</p>}
          </li>
        ))}
      </ol>
      <h3>{t('record.calls', { n: calls.length })}</h3>
      {calls.length === 0 && <p class="muted">{t('record.noCalls')}</p>}
      <ol class="record-list">
        {calls.map((call) => (
          <li key={call.call_id} class="record-entry" data-testid="ledger-call" data-purpose={call.purpose}>
            <p class="record-head">
              <span>{since(view, call.at)}</span>
              <strong>{maybe(`purpose.${call.purpose}`) ?? call.purpose.replaceAll('_', ' ')}</strong>
              <span class={call.outcome === 'ok' ? 'outcome ok' : 'outcome'}>{t(`outcome.${call.outcome as 'ok'}`)}</span>
            </p>
            <details>
              <summary>{t('record.details')}</summary>
              <dl class="numbers">
                <div>
                  <dt>{t('record.modelName')}</dt>
                  <dd>{call.model}</dd>
                </div>
                <div>
                  <dt>{t('record.prompt')}</dt>
                  <dd>
                    {call.prompt} <code>{call.prompt_hash.slice(0, 12)}</code>
                  </dd>
                </div>
                <div>
                  <dt>{t('record.input')}</dt>
                  <dd>{t('record.range', { first: call.first_seq, last: call.last_seq })}</dd>
                </div>
                <div>
                  <dt>{t('record.latency')}</dt>
                  <dd>{t('record.ms', { ms: call.latency_ms })}</dd>
                </div>
                <div>
                  <dt>{t('record.tokens')}</dt>
                  <dd>
                    {call.tokens_in} + {call.tokens_out}
                  </dd>
                </div>
              </dl>
              {call.output && <pre class="output" tabIndex={0}>{call.output}</pre>}
            </details>
          </li>
        ))}
      </ol>
    </div>
  );
}
