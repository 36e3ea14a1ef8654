/**
 * The moral graph: values as numbered circles, the wisest on top, an arrow from each value to the one found wiser. Beside it, as its text
 * alternative, the values in that order; each opens what it rests on. The same as a table, as JSON, and as pairs for tuning a model.
 */
import { number, percent, t } from '../i18n';
import { Icon } from '../ui/icons';
import { type Found, type Suppressible, tooFew } from './data';
import { save } from './save';
import { DataTable } from './table';
import './values.css';

export interface Edge extends Suppressible {
  source: string;
  to: string;
  contexts: string[];
  wiser: number;
  not_wiser: number;
  unsure: number;
  less_wise: number;
  likelihood: number;
  entropy: number;
  kept: boolean;
}
export interface MoralGraph extends Suppressible {
  values: Array<{ value: string; title: string; score: number; contexts: string[] }>;
  edges: Edge[];
  proposals: Array<{ first: string; second: string; similarity: number }>;
  preferences: Array<{ source: string; to: string; context: string; chosen: string; rejected: string; weight: number }>;
}

const DRAWN = 40; // more circles than this cannot be told apart; all values stand in the list's order in the table
const RADIUS = 4.4;

/** Places values in layers: a value stands one layer below the lowest of those found wiser than it. `values` come wisest first. */
export function layout(values: ReadonlyArray<{ value: string }>, edges: ReadonlyArray<{ source: string; to: string }>): { places: Map<string, [number, number]>; width: number; height: number } {
  const rank = new Map(values.map((one, index) => [one.value, index]));
  const layer = new Map<string, number>();
  for (const { value } of values) {
    const above = edges.filter((edge) => edge.source === value && (rank.get(edge.to) ?? Infinity) < (rank.get(value) ?? 0)).map((edge) => layer.get(edge.to) ?? 0);
    layer.set(value, above.length > 0 ? Math.max(...above) + 1 : 0);
  }
  const rows: string[][] = [];
  for (const { value } of values) (rows[layer.get(value) ?? 0] ??= []).push(value);
  const width = Math.max(60, ...rows.map((row) => row.length * 16));
  const places = new Map<string, [number, number]>();
  rows.forEach((row, depth) => row.forEach((value, index) => places.set(value, [((index + 1) * width) / (row.length + 1) + (depth % 2 ? 9 : -9), 10 + depth * 18])));
  return { places, width, height: Math.max(1, rows.length) * 18 + 2 };
}

export function MoralGraphSection({ found, figures }: { found: Found; figures: MoralGraph }) {
  if (figures.suppressed) return <p class="muted">{tooFew(found.outcomes)}</p>;
  const cards = found.outcomes.items.filter((item) => item.kind === 'value');
  if (cards.length === 0) return <p class="muted">{t('moral.none')}</p>;
  const kept = figures.edges.filter((edge) => !edge.suppressed && edge.kept);
  const ranked = new Set(figures.values.map((one) => one.value));
  const rest = cards.filter((card) => !ranked.has(card.id) && card.parent === '');
  const place = new Map(figures.values.map((one, index) => [one.value, index + 1]));
  return (
    <>
      {figures.values.length === 0 ? <p class="lead">{t('moral.noEdges')}</p> : <Graph found={found} figures={figures} kept={kept} />}
      <ol class="moral-values" data-testid="moral-values">
        {figures.values.map((one) => (
          <Value key={one.value} found={found} id={one.value} figures={figures} place={place} score={one.score} contexts={one.contexts} />
        ))}
      </ol>
      {rest.length > 0 && (
        <>
          <h3>{t('moral.rest')}</h3>
          <p class="hint">{t('moral.rest.about')}</p>
          <ul class="moral-values">
            {rest.map((card) => (
              <Value key={card.id} found={found} id={card.id} figures={figures} place={place} />
            ))}
          </ul>
        </>
      )}
      <DataTable
        label={t('moral.table')}
        columns={[t('moral.column.from'), t('moral.column.to'), t('moral.column.context'), t('values.compare.wiser'), t('values.compare.notWiser'), t('values.compare.unsure'), t('moral.column.less'), t('outcomes.people'), t('moral.column.likelihood'), t('moral.column.entropy'), t('moral.column.kept')]}
        rows={figures.edges.map((edge) =>
          edge.suppressed
            ? [found.text(edge.source), found.text(edge.to), null, null, null, null, null, null, null, null, null]
            : [found.text(edge.source), found.text(edge.to), edge.contexts.join('; '), edge.wiser, edge.not_wiser, edge.unsure, edge.less_wise, edge.people, edge.likelihood, edge.entropy, t(edge.kept ? 'yes' : 'no')],
        )}
      />
      <p class="buttons">
        <button type="button" class="button small" data-testid="download-graph" onClick={() => save(graphFile(found, figures), 'application/json', `${found.outcomes.id}-moral-graph.json`)}>
          <Icon name="download" />
          {t('moral.file.graph')}
        </button>
        <button
          type="button"
          class="button small"
          data-testid="download-preferences"
          onClick={() => save(figures.preferences.map((pair) => JSON.stringify({ context: pair.context, chosen: pair.chosen, rejected: pair.rejected, weight: pair.weight })).join('\n') + '\n', 'application/jsonl', `${found.outcomes.id}-preferences.jsonl`)}
        >
          <Icon name="download" />
          {t('moral.file.preferences', { n: figures.preferences.length })}
        </button>
      </p>
    </>
  );
}

/** The graph as a file: values with their words, edges with their counts, contexts. */
export function graphFile(found: Found, figures: MoralGraph): string {
  const scores = new Map(figures.values.map((one) => [one.value, one.score]));
  const values = found.outcomes.items
    .filter((item) => item.kind === 'value')
    .map((item) => ({ id: item.id, title: item.text, attends: (item.details?.['attends'] ?? '').split('\n').filter(Boolean), contexts: (item.details?.['contexts'] ?? '').split('\n').filter(Boolean), same_as: item.parent || null, score: scores.get(item.id) ?? null }));
  const edges = figures.edges.filter((edge) => !edge.suppressed);
  const contexts = [...new Set(edges.flatMap((edge) => edge.contexts))].sort();
  return JSON.stringify({ question: found.outcomes.question, contexts, values, edges }, null, 1);
}

function Graph({ found, figures, kept }: { found: Found; figures: MoralGraph; kept: Edge[] }) {
  const drawn = figures.values.slice(0, DRAWN);
  const { places, width, height } = layout(drawn, kept);
  const best = Math.max(...drawn.map((one) => one.score));
  const radius = (score: number) => RADIUS * (0.65 + 0.35 * (score / best));
  const label = t('moral.label', { n: drawn.length, edges: kept.length, top: drawn[0]?.title ?? '' });
  return (
    <figure class="moral-graph" data-testid="moral-graph" data-values={drawn.length} data-edges={kept.length}>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
        {kept.map((edge) => {
          const [from, to] = [places.get(edge.source), places.get(edge.to)];
          if (!from || !to) return null;
          return <Arrow key={`${edge.source} ${edge.to}`} from={from} to={to} likelihood={edge.likelihood} radius={RADIUS} />;
        })}
        {drawn.map((one, index) => {
          const [x, y] = places.get(one.value) ?? [0, 0];
          return (
            <g key={one.value} class="moral-node">
              <title>{one.title}</title>
              <circle cx={x} cy={y} r={radius(one.score)} />
              <text x={x} y={y} dy="0.36em">
                {number(index + 1)}
              </text>
            </g>
          );
        })}
      </svg>
      <figcaption class="hint">
        {t('moral.caption')} {figures.values.length > DRAWN && t('moral.more', { n: DRAWN, all: figures.values.length })}
        <span class="visually-hidden">{kept.map((edge) => t('moral.arrow', { from: found.text(edge.source), to: found.text(edge.to) })).join(' ')}</span>
      </figcaption>
    </figure>
  );
}

function Arrow({ from, to, likelihood, radius }: { from: [number, number]; to: [number, number]; likelihood: number; radius: number }) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  const start = [from[0] + ux * radius, from[1] + uy * radius] as const;
  const end = [to[0] - ux * (radius + 0.8), to[1] - uy * (radius + 0.8)] as const;
  const bend = [(start[0] + end[0]) / 2 - uy * length * 0.12, (start[1] + end[1]) / 2 + ux * length * 0.12] as const;
  const [hx, hy] = [end[0] - bend[0], end[1] - bend[1]];
  const h = Math.hypot(hx, hy) || 1;
  const [vx, vy] = [hx / h, hy / h];
  const head = [end, [end[0] - vx * 1.8 - vy, end[1] - vy * 1.8 + vx], [end[0] - vx * 1.8 + vy, end[1] - vy * 1.8 - vx]].map((point) => `${point[0]},${point[1]}`).join(' ');
  return (
    <g class="moral-edge">
      <path d={`M${start[0]},${start[1]} Q${bend[0]},${bend[1]} ${end[0]},${end[1]}`} stroke-width={0.25 + 0.6 * likelihood} />
      <polygon points={head} />
    </g>
  );
}

/** One value: its words, and behind them how it was compared, which cards it stands for, and the stories told with it. */
function Value({ found, id, figures, place, score, contexts }: { found: Found; id: string; figures: MoralGraph; place: Map<string, number>; score?: number; contexts?: string[] }) {
  const item = found.item(id);
  const attends = (item?.details?.['attends'] ?? '').split('\n').filter(Boolean);
  const merged = found.outcomes.items.filter((one) => one.kind === 'value' && one.parent === id);
  const edges = figures.edges.filter((edge) => edge.source === id || edge.to === id);
  const told = edges.filter((edge) => !edge.suppressed && (edge.to === id ? edge.wiser > 0 || edge.kept : edge.kept));
  const quotes = [...(item?.quotes ?? []), ...merged.flatMap((one) => one.quotes)];
  return (
    <li class="moral-value" data-testid="moral-value" data-item={id}>
      <h3 dir="auto">
        {place.has(id) && <b class="letter">{number(place.get(id) ?? 0)}</b>} {found.text(id)}
      </h3>
      <ul class="attends">
        {attends.map((line) => (
          <li key={line} dir="auto">
            {line}
          </li>
        ))}
      </ul>
      {contexts && contexts.length > 0 && <p class="note">{t('moral.wiserIn', { contexts: contexts.join('; ') })}</p>}
      <details class="evidence" data-testid="evidence">
        <summary>{t('outcomes.evidence')}</summary>
        {score !== undefined && <p>{t('moral.score', { score: number(score, 3) })}</p>}
        {item && <p>{t('outcomes.seenIn', { rooms: item.rooms.join(', ') })}</p>}
        {merged.length > 0 && <p dir="auto">{t('moral.merged', { titles: merged.map((one) => one.text).join(', ') })}</p>}
        <ul class="moral-edges">
          {told.map((edge) => (
            <li key={`${edge.source} ${edge.to}`} dir="auto">
              {t('moral.edge', { to: found.text(edge.to), from: found.text(edge.source), wiser: edge.wiser, not: edge.not_wiser, unsure: edge.unsure, less: edge.less_wise, people: edge.people ?? 0, likelihood: percent(Math.max(0, edge.likelihood)) })}
            </li>
          ))}
        </ul>
        {edges.some((edge) => edge.suppressed) && <p class="muted">{tooFew(found.outcomes)}</p>}
        {quotes.length > 0 && (
          <ul class="quotes">
            {quotes.map((quote) => (
              <li key={quote.utterance}>
                <q dir="auto">{quote.text}</q>
                <span class="muted"> {[quote.speaker, t('outcomes.room', { n: quote.room })].filter(Boolean).join(', ')}</span>
              </li>
            ))}
          </ul>
        )}
      </details>
    </li>
  );
}
