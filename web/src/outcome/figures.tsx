/** Any JSON as text and tables: lists of like objects become tables, nested objects named parts, long lists are cut to their first entries. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { maybe, number, t } from '../i18n';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const SHOWN_ROWS = 50;
const HIDDEN = new Set(['rows']); // by convention one entry per participant: not for the page

/** A key of the data as words. */
export function words(key: string): string {
  return maybe(`figure.${key}`) ?? key.replace(/[_-]+/g, ' ').replace(/^./, (first) => first.toLocaleUpperCase());
}

/** What ids in the data stand for: a statement's words are shown in place of its id. */
export const Texts = createContext<ReadonlyMap<string, string>>(new Map());

export function Figures({ value, depth }: { value: Json; depth: number }) {
  if (value === null) return <span class="muted">–</span>;
  if (typeof value === 'boolean') return <>{t(value ? 'yes' : 'no')}</>;
  if (typeof value === 'number') return <>{number(value, 3)}</>;
  if (typeof value === 'string') return <Text value={value} />;
  if (Array.isArray(value)) return <List value={value} depth={depth} />;
  const entries = Object.entries(value).filter(([key, one]) => !HIDDEN.has(key) && one !== null);
  if (entries.length === 0) return <span class="muted">–</span>;
  const small = entries.filter(([, one]) => isPlain(one));
  const large = entries.filter(([, one]) => !isPlain(one));
  const Heading = `h${Math.min(depth + 1, 6)}` as 'h3';
  return (
    <div class="figures">
      {small.length > 0 && (
        <dl class="figure-list">
          {small.map(([key, one]) => (
            <div key={key}>
              <dt>{words(key)}</dt>
              <dd>
                <Figures value={one} depth={depth + 1} />
              </dd>
            </div>
          ))}
        </dl>
      )}
      {large.map(([key, one]) => (
        <section key={key}>
          <Heading>{words(key)}</Heading>
          <Figures value={one} depth={depth + 1} />
        </section>
      ))}
    </div>
  );
}

function Text({ value }: { value: string }) {
  const text = useContext(Texts).get(value);
  if (text !== undefined) return <span dir="auto">{text}</span>;
  return /^[0-9a-f]{40,}$/.test(value) ? <code>{value}</code> : <span dir="auto">{value}</span>;
}

function List({ value, depth }: { value: Json[]; depth: number }) {
  const texts = useContext(Texts);
  if (value.length === 0) return <span class="muted">–</span>;
  if (value.length > 0 && value.every((one) => typeof one === 'string' && texts.has(one))) {
    return (
      <ul class="figure-items">
        {value.slice(0, SHOWN_ROWS).map((one, index) => (
          <li key={index}>
            <Figures value={one} depth={depth} />
          </li>
        ))}
      </ul>
    );
  }
  if (value.every(isPlain)) return <span dir="auto">{value.slice(0, SHOWN_ROWS).map((one) => (typeof one === 'number' ? number(one, 3) : String(one ?? '–'))).join(', ')}{value.length > SHOWN_ROWS ? ' …' : ''}</span>;
  const rows = value.filter((one): one is { [key: string]: Json } => typeof one === 'object' && one !== null && !Array.isArray(one));
  if (rows.length !== value.length) {
    return (
      <ol class="figure-items">
        {value.slice(0, SHOWN_ROWS).map((one, index) => (
          <li key={index}>
            <Figures value={one} depth={depth + 1} />
          </li>
        ))}
      </ol>
    );
  }
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((key) => !HIDDEN.has(key)).sort((a, b) => rank(a) - rank(b));
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label={t('outcomes.table')}>
      <table>
        <thead>
          <tr>
            {columns.map((key) => (
              <th key={key} scope="col">
                {words(key)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, SHOWN_ROWS).map((row, index) => (
            <tr key={index}>
              {columns.map((key) => (
                <td key={key} class={typeof row[key] === 'number' ? 'figure' : ''}>
                  <Figures value={row[key] ?? null} depth={depth + 1} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > SHOWN_ROWS && <p class="hint">{t('outcomes.more', { n: rows.length - SHOWN_ROWS })}</p>}
    </div>
  );
}

/** Texts first, then names, then everything else in the server's order. */
function rank(key: string): number {
  return key === 'text' || key === 'statement' ? 0 : key === 'id' || key === 'item' || key === 'group' ? 1 : 2;
}

function isPlain(value: Json): boolean {
  return value === null || typeof value !== 'object';
}
