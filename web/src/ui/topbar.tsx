import type { ComponentChildren } from 'preact';
import { Mark } from './controls';
import { LanguagePicker } from './language';

/** The head of every page but the room: the mark, what the page has to say beside it, and the language. */
export function TopBar({ children }: { children?: ComponentChildren }) {
  return (
    <header class="topbar">
      <Mark />
      {children}
      <LanguagePicker />
    </header>
  );
}
