/**
 * What is said, by speaker, as it is recognised: final words as they are stored, then what is being said now, its uncertain end greyed.
 * One's own words can be struck or corrected here.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import type { RoomView, UtteranceView } from '../protocol/types';
import { clock } from '../ui/controls';
import { Translated } from '../ui/translated';
import { OwnWords } from './own-words';
import type { Session } from './session';

/** Keep a list scrolled to its end while the reader is at its end. */
export function useEnd(changes: unknown) {
  const ref = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const box = ref.current;
    if (box && atEnd.current) box.scrollTop = box.scrollHeight;
  }, [changes]);
  return {
    ref,
    onScroll: () => {
      const box = ref.current;
      if (box) atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    },
  };
}

export function Captions({ session }: { session: Session }) {
  const view = session.view.value;
  const partials = Object.values(session.feed.partials.value);
  const utterances = sorted(view);
  const scroll = useEnd(`${utterances.length} ${partials.map((p) => p.solid.length + p.tail.length).join()}`);
  if (!view) return null;
  if (!session.captionsOn.value) {
    return (
      <section class="captions hidden" aria-label={t('captions')}>
        <p class="muted">{t('captions.off')}</p>
      </section>
    );
  }
  return (
    <section class="captions" aria-label={t('captions')}>
      <div class="captions-scroll" {...scroll} tabIndex={0} role="group" aria-label={t('captions')}>
        {utterances.length === 0 && partials.length === 0 && <p class="muted captions-empty">{t('captions.empty')}</p>}
        <div role="log" aria-live="polite" aria-relevant="additions">
          {utterances.map((u, index) => (
            <Line key={u.utterance_id} session={session} view={view} u={u} follows={utterances[index - 1]?.participant_id === u.participant_id && utterances[index - 1]?.written === u.written} />
          ))}
        </div>
        {partials
          .sort((a, b) => a.started_at - b.started_at)
          .map((p) => {
            const who = view.members[p.participant_id];
            return (
              <div key={p.participant_id} class={`caption partial seat-${(((who?.seat ?? 1) - 1) % 8) + 1}`} data-testid="caption" data-participant={p.participant_id} data-utterance={p.utterance_id}>
                <span class="speaker">{who?.name}</span>
                <p class="words" dir="auto">
                  {p.solid} <span class="tail">{p.tail}</span>
                </p>
              </div>
            );
          })}
      </div>
    </section>
  );
}

function Line({ session, view, u, follows }: { session: Session; view: RoomView; u: UtteranceView; follows: boolean }) {
  const who = view.members[u.participant_id];
  const own = u.participant_id === session.me.value;
  return (
    <div class={`caption seat-${(((who?.seat ?? 1) - 1) % 8) + 1}${own ? ' own' : ''}${follows ? ' follows' : ''}`} data-testid="caption" data-participant={u.participant_id} data-utterance={u.utterance_id}>
      <span class="speaker">{who?.name}</span>
      <Words u={u} view={view} />
      {own && !u.struck && !u.hidden && <OwnWords session={session} u={u} />}
      {who?.mode === 'on-site' && !u.struck && <Speaker session={session} u={u} own={own} />}
    </div>
  );
}

/** Who of several at one microphone said this: named by hand at that microphone, else unknown. */
function Speaker({ session, u, own }: { session: Session; u: UtteranceView; own: boolean }) {
  const [name, setName] = useState(u.speaker ?? '');
  useEffect(() => setName(u.speaker ?? ''), [u.speaker]);
  if (!own) return <span class="who muted">{u.speaker ?? t('speaker.unknown')}</span>;
  return (
    <input
      class="who"
      type="text"
      maxLength={40}
      dir="auto"
      value={name}
      placeholder={t('speaker.unknown')}
      aria-label={t('speaker.name')}
      data-testid="speaker-name"
      onInput={(event) => setName(event.currentTarget.value)}
      onChange={() => name.trim() !== (u.speaker ?? '') && void session.do({ type: 'utterance.name', utterance_id: u.utterance_id, speaker: name.trim() })}
    />
  );
}

/** An utterance's text, or what became of it. */
export function Words({ u, view }: { u: UtteranceView; view?: RoomView }) {
  if (u.struck) return <p class="words gone">{t('words.struck')}</p>;
  if (u.hidden && !u.text) return <p class="words gone">{t('words.hidden')}</p>;
  if (view?.translations[u.utterance_id] && !u.hidden) return <Translated view={view} id={u.utterance_id} text={u.text} lang={u.language} class="words" />;
  return (
    <p class={u.confidence < 0.5 ? 'words unsure' : 'words'} dir="auto" lang={u.language}>
      {u.text}
      {u.written && <span class="mark-note"> {t('words.written')}</span>}
      {u.revised === 'speaker' && <span class="mark-note"> {t('words.corrected')}</span>}
      {u.hidden && <span class="mark-note"> {t('words.hidden')}</span>}
    </p>
  );
}

export function sorted(view: RoomView | null): UtteranceView[] {
  return Object.values(view?.utterances ?? {}).sort((a, b) => a.started_at - b.started_at);
}

/** Time into the room. */
export function since(view: RoomView, at: number): string {
  return clock(Math.max(0, at - view.opened_at));
}
