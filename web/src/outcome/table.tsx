/** A chart's numbers as a table, folded away until wanted. */
import type { ComponentChildren } from 'preact';
import { number, t } from '../i18n';

type Cell = string | number | null | undefined;

export function DataTable({ columns, rows, label }: { columns: string[]; rows: Cell[][]; label?: ComponentChildren }) {
  return (
    <details class="as-table">
      <summary>{label ?? t('outcomes.asTable')}</summary>
      <div class="table-scroll" tabIndex={0} role="group" aria-label={t('outcomes.table')}>
        <table>
          <thead>
            <tr>
              {columns.map((column, index) => (
                <th key={index} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              <tr key={index}>
                {row.map((cell, place) =>
                  place === 0 ? (
                    <th key={place} scope="row" dir="auto">
                      {show(cell)}
                    </th>
                  ) : (
                    <td key={place} class="figure">
                      {show(cell)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function show(cell: Cell): string {
  return cell === null || cell === undefined ? '–' : typeof cell === 'number' ? number(cell, 2) : cell;
}
