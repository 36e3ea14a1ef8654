/** The transcript by time and speaker, searchable; a time goes to the audio, where there is any. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { sorted, Words } from '../room/captions';
import type { ReviewRoom, RoomView } from '../protocol/types';
import { clock, Select } from '../ui/controls';
import type { Player } from './player';

interface Props {
  found: ReviewRoom;
  player: Player;
  focus: string | null;
}

export function Transcript({ found, player, focus }: Props) {
  const { view } = found;
  const [query, setQuery] = useState('');
  const [speaker, setSpeaker] = useState('');
  const list = useRef<HTMLOListElement>(null);
  const flags = new Map<string, string[]>();
  for (const flag of found.flagged_names) flags.set(flag.utterance_id, [...(flags.get(flag.utterance_id) ?? []), flag.word]);
  const wanted = fold(query);
  const shown = sorted(view).filter((u) => (speaker === '' || u.participant_id === speaker) && (wanted === '' || fold(u.text).includes(wanted)));
  const hasAudio = player.lanes.value.length > 0;
  const time = player.time.value;

  useEffect(() => {
    if (!focus) return;
    setQuery('');
    setSpeaker('');
    requestAnimationFrame(() => {
      const line = list.current?.querySelector<HTMLElement>(`[data-utterance="${CSS.escape(focus)}"]`);
      line?.scrollIntoView({ block: 'center' });
      line?.focus();
    });
  }, [focus]);

  let stage = '';
  return (
    <div class="transcript">
      <div class="transcript-tools">
        <div class="field">
          <label for="transcript-search">{t('review.search')}</label>
          <input id="transcript-search" type="search" value={query} data-testid="review-search" onInput={(event) => setQuery(event.currentTarget.value)} />
        </div>
        <Select label={t('review.speaker')} value={speaker} options={[{ value: '', label: t('review.everyone') }, ...speakers(view)]} onChange={setSpeaker} testid="review-speaker" />
        <p class="muted" role="status">
          {t('review.found', { n: shown.length })}
        </p>
      </div>
      {Object.keys(view.utterances).length === 0 && <p class="muted">{t('review.noTranscript')}</p>}
      <ol ref={list} class="transcript-list">
        {shown.map((u) => {
          const at = u.started_at - view.opened_at;
          const head = u.stage_id !== stage ? view.agenda.find((one) => one.id === u.stage_id)?.title : undefined;
          stage = u.stage_id;
          const names = flags.get(u.utterance_id);
          const playing = hasAudio && player.playing.value && time >= at && time < u.ended_at - view.opened_at;
          return (
            <li key={u.utterance_id} class="transcript-item">
              {head && <h3>{head}</h3>}
              <div
                class={`caption seat-${(((view.members[u.participant_id]?.seat ?? 1) - 1) % 8) + 1}${playing ? ' playing' : ''}${u.utterance_id === focus ? ' focus' : ''}`}
                data-testid="review-utterance"
                data-utterance={u.utterance_id}
                data-participant={u.participant_id}
                tabIndex={-1}
              >
                <span class="transcript-who">
                  {hasAudio ? (
                    <button
                      type="button"
                      class="link at"
                      aria-label={t('review.playFrom', { time: clock(at) })}
                      onClick={() => {
                        player.seek(at);
                        if (!player.playing.value) player.play();
                      }}
                    >
                      {clock(at)}
                    </button>
                  ) : (
                    <span class="at muted">{clock(at)}</span>
                  )}
                  <span class="speaker">{view.members[u.participant_id]?.name ?? t('someone')}</span>
                </span>
                <Words u={u} />
                {names && <p class="flagged">{t('review.names', { names: names.join(', ') })}</p>}
              </div>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function speakers(view: RoomView) {
  return Object.values(view.members)
    .sort((a, b) => a.seat - b.seat)
    .map((m) => ({ value: m.participant_id, label: m.name }));
}

/** Text for searching: without case and accents. */
function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}
