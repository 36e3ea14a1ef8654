/** How the talk is shared, as a round table: one arc per seat, in its colour. Beside it one's own share and the even one, in words. */
import { percent, t } from '../i18n';
import type { RoomView } from '../protocol/types';

const RADIUS = 15.9155; // a circumference of 100, so that dashes are percentages

export function Balance({ view, me }: { view: RoomView; me?: string }) {
  const members = Object.values(view.members)
    .filter((m) => m.presence !== 'left' || m.spoken_seconds > 0)
    .sort((a, b) => a.seat - b.seat);
  const here = members.filter((m) => m.presence !== 'left').length;
  const even = here > 0 ? 1 / here : 0;
  const own = me ? view.members[me] : undefined;
  const total = members.reduce((sum, m) => sum + m.share, 0);
  let before = 0;
  const arcs = members.map((m) => {
    const length = (total > 0 ? m.share / total : 1 / members.length) * 100;
    const arc = { member: m, length, offset: before };
    before += length;
    return arc;
  });
  const spoken = members.map((m) => `${m.name}: ${percent(m.share)}`).join(', ');
  return (
    <div class="balance" data-testid="balance" data-gini={view.gini}>
      <svg viewBox="0 0 42 42" role="img" aria-label={t('balance.label', { shares: spoken })}>
        <circle class="balance-base" cx="21" cy="21" r={RADIUS} />
        {total > 0 &&
          arcs.map(({ member, length, offset }) => (
            <circle
              key={member.participant_id}
              class={`balance-arc seat-${((member.seat - 1) % 8) + 1}${member.participant_id === me ? ' own' : ''}`}
              cx="21"
              cy="21"
              r={RADIUS}
              stroke-dasharray={`${Math.max(0, length - 1.5)} ${100 - Math.max(0, length - 1.5)}`}
              stroke-dashoffset={25 - offset}
            />
          ))}
      </svg>
      {own && (
        <p class="balance-text">
          <span data-testid="own-share">{t('balance.you', { share: percent(own.share) })}</span>
          <span class="muted">{t('balance.even', { share: percent(even) })}</span>
        </p>
      )}
    </div>
  );
}
