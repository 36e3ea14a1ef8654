/** Shared controls: dialog, tabs, labelled fields, clock. Native elements wherever there is one. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { serverNow } from '../net/socket';
import { read, write } from '../net/tokens';
import { announcement } from './announce';
import { Icon, type IconName } from './icons';

/** Server time in whole seconds, ticking once a second. */
export const now = signal(Math.floor(Date.now() / 1000));
setInterval(() => (now.value = Math.floor(serverNow())), 1000);

/** A media query as a signal. */
function media(query: string) {
  const list = matchMedia(query);
  const matches = signal(list.matches);
  list.addEventListener('change', (event) => (matches.value = event.matches));
  return matches;
}
export const narrow = media('(max-width: 819px)');
export const low = media('(max-height: 700px)');

/** `m:ss`, or `h:mm:ss`; negative times get a minus. */
export function clock(seconds: number): string {
  const s = Math.abs(Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const h = Math.floor(s / 3600);
  const text = h > 0 ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
  return seconds < -0.5 ? `−${text}` : text;
}

export function Announcer() {
  return (
    <div class="visually-hidden" role="status" aria-live="polite">
      {announcement.value}
    </div>
  );
}

export function Mark() {
  return (
    <span class="mark">
      <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <path class="arc a" d="M16 4a12 12 0 0 1 10.9 7" />
        <path class="arc b" d="M28 16.7a12 12 0 0 1-7 10.2" />
        <path class="arc c" d="M15.3 28a12 12 0 0 1-10.4-7.2" />
        <path class="arc d" d="M4 15.4a12 12 0 0 1 6.2-9.9" />
      </svg>
      <span class="wordmark">Parley</span>
    </span>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
  testid?: string;
}

/** A modal dialog: focus goes in and comes back, Escape closes. */
export function Dialog({ title, onClose, children, wide, testid }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={id}
      data-testid={testid}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="icon-button" aria-label={t('close')} onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

export interface Tab {
  id: string;
  label: string;
  icon?: IconName;
  badge?: number | string | null;
  content: () => ComponentChildren;
}

/** Tabs by the ARIA pattern: arrow keys move, the panel follows. */
export function Tabs({ tabs, value, onChange, label }: { tabs: Tab[]; value: string; onChange: (id: string) => void; label: string }) {
  const base = useId();
  const current = tabs.find((tab) => tab.id === value) ?? tabs[0];
  const move = (event: KeyboardEvent) => {
    const rtl = document.documentElement.dir === 'rtl';
    const step = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1 }[event.key];
    const index = tabs.findIndex((tab) => tab.id === current?.id);
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? tabs.length - 1 : step ? (index + step + tabs.length) % tabs.length : null;
    const next = to === null ? undefined : tabs[to];
    if (!next) return;
    event.preventDefault();
    onChange(next.id);
    document.getElementById(`${base}-${next.id}`)?.focus();
  };
  useEffect(() => document.getElementById(`${base}-${current?.id}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [current?.id]);
  useEffect(() => {
    document.getElementById(`${base}-${current?.id}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [current?.id]);
  if (!current) return null;
  return (
    <div class="tabs">
      <div class="tablist" role="tablist" aria-label={label} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            id={`${base}-${tab.id}`}
            type="button"
            role="tab"
            class="tab"
            aria-selected={tab.id === current.id}
            aria-controls={`${base}-panel`}
            tabIndex={tab.id === current.id ? 0 : -1}
            data-testid={`tab-${tab.id}`}
            onClick={() => onChange(tab.id)}
          >
            {tab.icon && <Icon name={tab.icon} />}
            <span class="tab-label">{tab.label}</span>
            {tab.badge != null && tab.badge !== 0 && <span class="badge">{tab.badge}</span>}
          </button>
        ))}
      </div>
      <div class="tabpanel" role="tabpanel" id={`${base}-panel`} aria-labelledby={`${base}-${current.id}`} tabIndex={0}>
        {current.content()}
      </div>
    </div>
  );
}

/** Text that survives a reload and a lost connection, until it is sent. */
export function useDraft(key: string): [string, (text: string) => void] {
  const name = `parley.draft.${key}`;
  const [text, setText] = useState(() => read(sessionStorage, name) ?? '');
  return [
    text,
    (next) => {
      setText(next);
      write(sessionStorage, name, next || null);
    },
  ];
}

export function Select({ label, value, options, onChange, testid }: { label: string; value: string; options: Array<{ value: string; label: string }>; onChange: (value: string) => void; testid?: string }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} data-testid={testid} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Paragraphs({ text }: { text: string }) {
  return (
    <>
      {text
        .split(/\n{2,}/)
        .filter((part) => part.trim() !== '')
        .map((part, index) => (
          <p key={index} dir="auto">{part}</p>
        ))}
    </>
  );
}

/** Sets the page's title and moves focus to its heading, so that a new screen is noticed. */
export function useScreen(title: string): { ref: (element: HTMLElement | null) => void } {
  const done = useRef(false);
  useEffect(() => {
    document.title = `${title} · Parley`;
  }, [title]);
  return {
    ref: (element) => {
      if (!element || done.current) return;
      done.current = true;
      element.tabIndex = -1;
      element.focus({ preventScroll: true });
    },
  };
}
