/** Labelled fields of the design's form. Each shows its value and tells of a change; none keeps anything. */
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { t } from '../i18n';

interface TextProps {
  label: string;
  value: unknown;
  onChange: (value: string) => void;
  rows?: number;
  hint?: string;
  testid?: string;
  type?: 'text' | 'datetime-local' | 'url';
}

export function Text({ label, value, onChange, rows, hint, testid, type }: TextProps) {
  const id = useId();
  const shared = {
    id,
    value: typeof value === 'string' ? value : '',
    dir: type ? undefined : ('auto' as const),
    'data-testid': testid,
    'aria-describedby': hint ? `${id}-hint` : undefined,
    onInput: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {rows ? <textarea rows={rows} {...shared} /> : <input type={(type ?? 'text') as 'text'} {...shared} />}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

export function Count({ label, value, onChange, min, max, step, testid }: { label: string; value: unknown; onChange: (value: number | null) => void; min: number; max: number; step?: number; testid?: string }) {
  const id = useId();
  return (
    <div class="field count">
      <label for={id}>{label}</label>
      <input id={id} type="number" min={min} max={max} step={step ?? 1} data-testid={testid} value={typeof value === 'number' ? value : ''} onInput={(event) => onChange(event.currentTarget.value === '' ? null : Number(event.currentTarget.value))} />
    </div>
  );
}

export function Tick({ label, checked, onChange, disabled }: { label: ComponentChildren; checked: boolean; onChange: (checked: boolean) => void; disabled?: boolean }) {
  return (
    <label class="form-tick">
      <input type="checkbox" checked={checked} disabled={disabled} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

/** Entries that can be added, moved and removed; `name` says which is meant where only the buttons are heard. */
export function Entries<T>({ entries, onChange, make, name, add, testid, children }: { entries: T[]; onChange: (entries: T[]) => void; make: () => T; name: (entry: T, index: number) => string; add: string; testid?: string; children: (entry: T, change: (entry: T) => void, index: number) => ComponentChildren }) {
  const swap = (index: number, by: number) => {
    const next = [...entries];
    const [one, other] = [next[index], next[index + by]];
    if (one === undefined || other === undefined) return;
    next[index] = other;
    next[index + by] = one;
    onChange(next);
  };
  return (
    <div class="entries">
      <ol>
        {entries.map((entry, index) => (
          <li key={index} class="entry" data-testid={testid}>
            {children(entry, (changed) => onChange(entries.map((one, place) => (place === index ? changed : one))), index)}
            <p class="entry-moves">
              <button type="button" class="button small" disabled={index === 0} aria-label={`${t('ballot.up')}: ${name(entry, index)}`} onClick={() => swap(index, -1)}>
                ↑
              </button>
              <button type="button" class="button small" disabled={index === entries.length - 1} aria-label={`${t('ballot.down')}: ${name(entry, index)}`} onClick={() => swap(index, 1)}>
                ↓
              </button>
              <button type="button" class="button small" aria-label={`${t('form.remove')}: ${name(entry, index)}`} onClick={() => onChange(entries.filter((_, place) => place !== index))}>
                {t('form.remove')}
              </button>
            </p>
          </li>
        ))}
      </ol>
      <button type="button" class="button small" data-testid={testid && `${testid}-add`} onClick={() => onChange([...entries, make()])}>
        {add}
      </button>
    </div>
  );
}

/** A list of short texts, one a line. */
export function Lines({ label, value, onChange, hint, testid }: { label: string; value: unknown; onChange: (lines: string[]) => void; hint?: string; testid?: string }) {
  const lines = Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
  return <Text label={label} value={lines.join('\n')} rows={Math.max(2, lines.length + 1)} hint={hint} testid={testid} onChange={(text) => onChange(text.split('\n'))} />;
}
