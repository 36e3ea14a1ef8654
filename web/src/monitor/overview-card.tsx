/** One room on the overview: stage and clock, who speaks, shares, silence, caption delay, connection trouble, the AI's last action, calls. */
import { maybe, number, percent, t } from '../i18n';
import type { RoomCard } from '../protocol/types';
import { clock, now } from '../ui/controls';
import { Icon } from '../ui/icons';
import type { Monitor } from './page';

const LONG_SILENCE_SECONDS = 12;
const LATE_CAPTIONS_SECONDS = 4;

/** How much a room asks for a facilitator: calls first, then reports, then trouble; closed rooms last. */
export function urgency(card: RoomCard): number {
  if (!card.open) return -1;
  const trouble = Object.values(card.members).some((m) => m.presence === 'here' && (m.connection === 'failed' || m.connection === 'disconnected'));
  return (card.help != null ? 100 : 0) + (card.reports > 0 ? 10 : 0) + (trouble ? 2 : 0) + (card.silence_seconds >= LONG_SILENCE_SECONDS ? 1 : 0);
}

export function OverviewCard({ monitor, card, opened }: { monitor: Monitor; card: RoomCard; opened: boolean }) {
  const members = Object.entries(card.members)
    .filter(([, m]) => m.presence !== 'left')
    .sort(([, a], [, b]) => a.seat - b.seat);
  const left = card.stage_ends_at != null && card.open ? card.stage_ends_at - now.value : null;
  const name = t('monitor.room', { n: card.number });
  const behind = card.transcription_behind;
  return (
    <li class={`overview-card${card.help != null ? ' calling' : ''}${opened ? ' opened' : ''}${card.open ? '' : ' closed'}`} data-testid="monitor-room" data-room={card.room_id}>
      <header class="overview-head">
        <label class="overview-pick">
          <input type="checkbox" checked={monitor.selected.value.has(card.room_id)} onChange={(event) => monitor.select(card.room_id, event.currentTarget.checked)} />
          <span class="visually-hidden">{t('monitor.select', { room: name })}</span>
        </label>
        <h2>{name}</h2>
        {card.arm && <span class="chip">{card.arm}</span>}
        <p class="overview-stage">
          {card.open ? card.stage || t('agenda.before') : t('monitor.closed')}
          {left !== null && <strong class={left < 0 ? 'time-small over' : 'time-small'}>{clock(left)}</strong>}
        </p>
      </header>
      {card.help != null && (
        <p class="overview-call" role="alert">
          <Icon name="human" />
          <span>
            <strong>{t('monitor.help')}</strong> {card.help}
          </span>
          <button type="button" class="button small" data-testid="answer-help" onClick={() => void monitor.do({ type: 'help.answer' }, [card.room_id]).then((done) => done && monitor.watch(card.room_id))}>
            {t('monitor.take')}
          </button>
        </p>
      )}
      <ul class="overview-members">
        {members.map(([id, m]) => {
          const trouble = m.connection === 'failed' || m.connection === 'disconnected';
          return (
            <li key={id} class={`seat-${((m.seat - 1) % 8) + 1}${card.speaking.includes(id) ? ' speaking' : ''}${m.presence === 'away' ? ' away' : ''}`}>
              <span class="overview-name">
                {m.name}
                {card.speaking.includes(id) && <em> {t('tile.speaking')}</em>}
                {m.presence === 'away' && <em> {t('tile.away')}</em>}
                {trouble && <em class="bad"> {t('tile.trouble')}</em>}
              </span>
              <span class="overview-bar" aria-hidden="true">
                <span style={{ inlineSize: `${Math.round(m.share * 100)}%` }} />
              </span>
              <span class="overview-share">{percent(m.share)}</span>
            </li>
          );
        })}
      </ul>
      <dl class="overview-facts">
        <Fact name={t('monitor.gini')} value={number(card.gini, 2)} bad={card.gini > 0.4} />
        <Fact name={t('monitor.silence')} value={t('seconds', { n: Math.round(card.silence_seconds) })} bad={card.silence_seconds >= LONG_SILENCE_SECONDS} />
        <Fact name={t('monitor.delay')} value={behind < 0 ? t('monitor.stopped') : t('seconds', { n: Math.round(behind * 10) / 10 })} bad={behind < 0 || behind > LATE_CAPTIONS_SECONDS} />
        <Fact name={t('monitor.reports')} value={number(card.reports)} bad={card.reports > 0} />
      </dl>
      <p class="overview-ai">
        <Icon name="spark" />
        {card.facilitation_paused
          ? t('monitor.paused')
          : card.last_ai_at != null
            ? t('monitor.lastAi', { action: maybe(`rule.short.${card.last_ai_action.split('.')[0] ?? ''}`) ?? card.last_ai_action, time: clock(Math.max(0, now.value - card.last_ai_at)) })
            : t('monitor.noAi')}
      </p>
      <div class="overview-actions">
        <button type="button" class="button small primary" aria-pressed={opened} data-testid="monitor-open" onClick={() => monitor.watch(opened ? null : card.room_id)}>
          {t(opened ? 'close' : 'monitor.open')}
          <span class="visually-hidden"> {name}</span>
        </button>
        {card.listeners > 0 && (
          <span class="chip">
            <Icon name="ear" />
            {card.listeners}
          </span>
        )}
      </div>
    </li>
  );
}

function Fact({ name, value, bad }: { name: string; value: string; bad: boolean }) {
  return (
    <div class={bad ? 'bad' : ''}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
