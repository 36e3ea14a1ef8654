/** The recordings: one waveform per voice with one cursor, where a click goes there, and the pictures of that moment. */
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import type { RoomView } from '../protocol/types';
import { clock } from '../ui/controls';
import { Icon } from '../ui/icons';
import { type Lane, type Picture, type Player, SLICES } from './player';

export function Lanes({ player, view }: { player: Player; view: RoomView }) {
  const lanes = player.lanes.value;
  if (lanes.length === 0) return null;
  const total = player.duration.value || 1;
  return (
    <section class="lanes" aria-label={t('review.audio')} data-testid="review-audio">
      <div class="lanes-head">
        <button type="button" class="button small primary" data-testid="audio-play" onClick={() => player.toggle()}>
          <Icon name={player.playing.value ? 'pause' : 'play'} />
          {t(player.playing.value ? 'review.pause' : 'review.play')}
        </button>
        <input
          type="range"
          class="seek"
          min={0}
          max={Math.ceil(total)}
          step={1}
          value={Math.round(player.time.value)}
          aria-label={t('review.seek')}
          aria-valuetext={clock(player.time.value)}
          onInput={(event) => player.seek(Number(event.currentTarget.value))}
        />
        <span class="at">
          {clock(player.time.value)} / {clock(total)}
        </span>
      </div>
      {lanes.map((lane) => {
        const member = view.members[lane.participant];
        const off = player.muted.value.has(lane.participant);
        return (
          <div key={lane.participant} class={`lane seat-${(((member?.seat ?? 1) - 1) % 8) + 1}`}>
            <button type="button" class="link" aria-pressed={off} onClick={() => player.mute(lane.participant, !off)}>
              {off ? <s>{member?.name}</s> : member?.name}
              <span class="visually-hidden"> {t('review.mute')}</span>
            </button>
            <Wave lane={lane} total={total} time={player.time.value} onSeek={(seconds) => player.seek(seconds)} />
          </div>
        );
      })}
      {player.pictures.value.length > 0 && (
        <ul class="pictures" data-testid="review-pictures">
          {player.pictures.value.map((picture) => (
            <Shown key={picture.element.src} picture={picture} name={view.members[picture.participant]?.name ?? ''} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Shown({ picture, name }: { picture: Picture; name: string }) {
  const ref = useRef<HTMLLIElement>(null);
  useEffect(() => {
    picture.element.setAttribute('aria-label', name);
    ref.current?.prepend(picture.element);
    return () => picture.element.remove();
  }, [picture, name]);
  return (
    <li ref={ref}>
      <span>{name}</span>
    </li>
  );
}

function Wave({ lane, total, time, onSeek }: { lane: Lane; total: number; time: number; onSeek: (seconds: number) => void }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current;
    const draw = canvas?.getContext('2d');
    if (!canvas || !draw) return;
    const { width, height } = canvas;
    const style = getComputedStyle(canvas);
    draw.clearRect(0, 0, width, height);
    draw.fillStyle = style.color;
    lane.peaks.forEach((peak, index) => {
      const x = ((lane.offset + (index / SLICES) * lane.duration) / total) * width;
      const bar = Math.max(1, peak * height);
      draw.fillRect(x, (height - bar) / 2, Math.max(1, ((lane.duration / total) * width) / SLICES), bar);
    });
    draw.fillStyle = style.accentColor;
    draw.fillRect((time / total) * width, 0, 2, height);
  }, [lane, total, Math.round(time * 4)]);
  return (
    <canvas
      ref={ref}
      width={1200}
      height={40}
      aria-hidden="true"
      onClick={(event) => {
        const box = event.currentTarget.getBoundingClientRect();
        onSeek(((event.clientX - box.left) / box.width) * total);
      }}
    />
  );
}
