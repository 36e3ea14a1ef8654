/** Short messages at the edge of the page; problems stay until dismissed, others for eight seconds. Also read out. */
import { signal } from '@preact/signals';
import { t } from '../i18n';
import { Icon } from './icons';

interface Toast {
  id: number;
  text: string;
  kind: 'note' | 'problem';
}

const toasts = signal<readonly Toast[]>([]);
let next = 1;

export function toast(text: string, kind: Toast['kind'] = 'note'): void {
  const id = next++;
  toasts.value = [...toasts.value.filter((other) => other.text !== text), { id, text, kind }].slice(-4);
  if (kind === 'note') setTimeout(() => close(id), 8000);
}

function close(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((one) => (
        <div key={one.id} class={`toast ${one.kind}`} data-testid="toast">
          <span>{one.text}</span>
          <button type="button" class="icon-button" aria-label={t('close')} onClick={() => close(one.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
