/** The opinion map: each group a circle at its place, its area the number of its people; with a researcher's link each person a dot. */
import { percent, t } from '../i18n';
import { type Found, groupName, groupSeat, type OpinionGroups, tooFew } from './data';
import { DataTable } from './table';

const SIZE = 100;
const EDGE = 16;

export function OpinionMap({ found, figures }: { found: Found; figures: OpinionGroups }) {
  const groups = figures.groups.filter((group) => !group.suppressed && group.centre);
  if (!figures.enough || groups.length === 0) return <p class="lead">{t('outcomes.map.few')}</p>;
  const rows = figures.rows;
  const xs = [...groups.map((g) => g.centre![0]), ...(rows?.x ?? [])];
  const ys = [...groups.map((g) => g.centre![1]), ...(rows?.y ?? [])];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const span = Math.max(Math.max(...xs) - left, Math.max(...ys) - top, 1e-9);
  const place = (value: number, low: number, high: number) => EDGE + ((value - low + (span - (high - low)) / 2) / span) * (SIZE - 2 * EDGE);
  const x = (value: number) => place(value, left, Math.max(...xs));
  const y = (value: number) => SIZE - place(value, top, Math.max(...ys));
  const largest = Math.max(...groups.map((g) => g.people ?? 0));
  const told = groups.map((g) => t('outcomes.groupPeople', { name: groupName(g.id), count: g.people ?? 0 })).join('; ');
  return (
    <figure class="opinion-map" data-testid="opinion-map">
      <svg viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label={t('outcomes.map.label', { groups: told })}>
        <line class="axis" x1={EDGE / 2} y1={SIZE / 2} x2={SIZE - EDGE / 2} y2={SIZE / 2} />
        <line class="axis" x1={SIZE / 2} y1={EDGE / 2} x2={SIZE / 2} y2={SIZE - EDGE / 2} />
        {groups.map((group) => (
          <g key={group.id} class={groupSeat(group.id)}>
            <circle class="group" cx={x(group.centre![0])} cy={y(group.centre![1])} r={12 * Math.sqrt((group.people ?? 0) / largest)} />
            {!rows && (
              <text class="group-letter" x={x(group.centre![0])} y={y(group.centre![1])} dy="0.35em">
                {groupName(group.id)}
              </text>
            )}
          </g>
        ))}
        {rows?.participants.map((person, index) => (
          <circle key={person} class={`person ${groupSeat(rows.groups[index] ?? '')}${rows.groups[index] === '' ? ' none' : ''}`} cx={x(rows.x[index] ?? 0)} cy={y(rows.y[index] ?? 0)} r="1.1" />
        ))}
      </svg>
      <figcaption>
        <p class="hint">{t('outcomes.map.about')}</p>
        <ul class="map-legend">
          {figures.groups.map((group) => (
            <li key={group.id} class={groupSeat(group.id)} data-testid="opinion-group" data-people={group.people ?? ''}>
              <b class="letter">{groupName(group.id)}</b>
              {group.suppressed ? <span class="muted">{tooFew(found.outcomes)}</span> : <span>{t('outcomes.groupPeople', { name: groupName(group.id), count: group.people ?? 0 })}</span>}
            </li>
          ))}
        </ul>
        <DataTable
          columns={[t('outcomes.column.group'), t('outcomes.people'), t('outcomes.column.share')]}
          rows={figures.groups.map((group) => [groupName(group.id), group.people, group.people === null ? null : percent(group.people / figures.people)])}
        />
      </figcaption>
    </figure>
  );
}
