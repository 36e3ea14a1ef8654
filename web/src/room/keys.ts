/** The room's keyboard: M, V, R, C, H, ? (can be switched off), and Space to talk while muted. Never while typing or with a modifier. */
import { useLayoutEffect } from 'preact/hooks';
import type { DialogName } from './dialogs';
import type { Session } from './session';

const TYPING = 'input, textarea, select, [contenteditable]';
const OWN_SPACE = `${TYPING}, button, a, summary, [role="tab"], video, audio`;

export function useKeys(session: Session, open: (name: DialogName) => void): void {
  // Before the room is painted: whoever sees it can use it.
  useLayoutEffect(() => {
    let talking = false;
    const down = (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : document.body;
      // What is open now, not what was when this was rendered: a key may come before the next paint.
      if (document.querySelector('dialog[open]') || !session.keysOn.value || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || target.closest(TYPING)) return;
      if (event.code === 'Space') {
        if (target.closest(OWN_SPACE) || !session.devices.muted.value || !session.devices.tracks.audio.value) return;
        event.preventDefault();
        talking = true;
        session.devices.mute(false);
        return;
      }
      if (event.repeat) return;
      // The key's own letter where it is Latin, else its place, so that the keys work on an Arabic keyboard too.
      const letter = /^[a-z?]$/i.test(event.key) ? event.key.toLowerCase() : event.code.replace(/^Key/, '').toLowerCase();
      switch (letter) {
        case 'm':
          return session.writes.value ? document.querySelector<HTMLElement>('[data-testid="write"]')?.click() : session.toggleMicrophone();
        case 'v':
          return session.writes.value ? undefined : session.toggleCamera();
        case 'r':
          return session.toggleHand();
        case 'c':
          return session.setCaptions(!session.captionsOn.value);
        case 'h':
          return open('human');
        case '?':
          return open('keys');
      }
    };
    const up = (event: KeyboardEvent) => {
      if (event.code !== 'Space' || !talking) return;
      talking = false;
      session.devices.mute(true);
    };
    addEventListener('keydown', down);
    addEventListener('keyup', up);
    return () => {
      removeEventListener('keydown', down);
      removeEventListener('keyup', up);
    };
  }, [session, open]);
}
