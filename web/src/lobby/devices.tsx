/** Camera preview, microphone meter, speaker test and pickers: in the lobby and, as a dialog, in mid-call. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { language, t } from '../i18n';
import type { DeviceProblem, Devices, Kind } from '../media/devices';
import { DETECT, setSpeaks, speaks, SPOKEN } from '../media/speech';
import { canChooseOutput, playTest, watchLevel, type Sound } from '../media/sound';
import { Select } from '../ui/controls';
import { Icon } from '../ui/icons';

export function Preview({ devices }: { devices: Devices }) {
  const ref = useRef<HTMLVideoElement>(null);
  const track = devices.tracks.video.value;
  useEffect(() => {
    if (ref.current) ref.current.srcObject = track ? new MediaStream([track]) : null;
  }, [track]);
  return (
    <div class="preview">
      <video ref={ref} autoplay muted playsInline class={track ? 'mirror' : 'mirror off'} aria-label={t('lobby.preview')} />
      {!track && (
        <p class="preview-off">
          <Icon name="video-off" />
          {t(devices.wanted.video.value ? 'lobby.noPicture' : 'lobby.cameraOff')}
        </p>
      )}
    </div>
  );
}

function Meter({ devices }: { devices: Devices }) {
  const bar = useRef<HTMLMeterElement>(null);
  const track = devices.tracks.audio.value;
  useEffect(() => {
    if (!track) return;
    return watchLevel(track, (level) => {
      if (bar.current) bar.current.value = level;
    });
  }, [track]);
  return <meter ref={bar} class="level" min={0} max={1} value={0} aria-label={t('lobby.level')} />;
}

export function Problem({ kind, problem }: { kind: Kind; problem: DeviceProblem }) {
  return (
    <p class="problem device-problem" role="alert" data-testid={`problem-${kind}`}>
      <Icon name={kind === 'audio' ? 'mic-off' : 'video-off'} />
      <span>
        <strong>{t(`device.${kind}.${problem}`)}</strong> {t(`device.${problem}.do`)}
      </span>
    </p>
  );
}

/** Which language one speaks. */
function Spoken() {
  const names = new Intl.DisplayNames([language.value], { type: 'language' });
  const known = SPOKEN.map((value) => ({ value, label: names.of(value) ?? value })).sort((a, b) => a.label.localeCompare(b.label, language.value));
  return (
    <Select
      label={t('speaks')}
      value={speaks.value}
      options={[{ value: '', label: t('speaks.usual') }, { value: DETECT, label: t('speaks.detect') }, ...known]}
      onChange={setSpeaks}
      testid="speaks"
    />
  );
}

/** Everything about one's devices except the picture. */
export function DevicePanel({ devices, sound }: { devices: Devices; sound: Sound }) {
  const [testing, setTesting] = useState(false);
  const pick = (kind: Kind, list: MediaDeviceInfo[]) =>
    list.length > 0 && (
      <Select
        label={t(kind === 'audio' ? 'device.microphone' : 'device.camera')}
        value={devices.chosen[kind].value}
        options={list.map((d, index) => ({ value: d.deviceId, label: d.label || `${index + 1}` }))}
        onChange={(id) => void devices.choose(kind, id)}
        testid={`pick-${kind}`}
      />
    );
  const wants = (kind: Kind, on: string, off: string) => (
    <label class="switch">
      <input type="checkbox" role="switch" checked={devices.wanted[kind].value} data-testid={`want-${kind}`} onChange={(event) => void devices.want(kind, event.currentTarget.checked)} />
      <span>{devices.wanted[kind].value ? on : off}</span>
    </label>
  );
  const { audio, video } = devices.problems;
  return (
    <div class="device-panel">
      {audio.value && <Problem kind="audio" problem={audio.value} />}
      {video.value && <Problem kind="video" problem={video.value} />}
      {(audio.value || video.value) && (
        <button type="button" class="button small" onClick={() => void devices.start()}>
          {t('device.again')}
        </button>
      )}
      <div class="device-row">
        {wants('audio', t('lobby.withMicrophone'), t('lobby.listenOnly'))}
        {devices.tracks.audio.value && <Meter devices={devices} />}
      </div>
      {devices.wanted.audio.value && pick('audio', devices.microphones.value)}
      {devices.wanted.audio.value && <Spoken />}
      <div class="device-row">{wants('video', t('lobby.withCamera'), t('lobby.audioOnly'))}</div>
      {devices.wanted.video.value && pick('video', devices.cameras.value)}
      <div class="device-row end">
        {canChooseOutput && devices.speakers.value.length > 0 && (
          <Select
            label={t('device.speaker')}
            value={devices.chosen.output.value || (devices.speakers.value[0]?.deviceId ?? '')}
            options={devices.speakers.value.map((d, index) => ({ value: d.deviceId, label: d.label || `${index + 1}` }))}
            onChange={(id) => devices.chooseOutput(id)}
            testid="pick-output"
          />
        )}
        <button
          type="button"
          class="button small"
          disabled={testing}
          data-testid="speaker-test"
          onClick={() => {
            setTesting(true);
            sound.unblock();
            void playTest(devices.chosen.output.value)
              .catch(() => undefined)
              .finally(() => setTesting(false));
          }}
        >
          <Icon name="play" />
          {t(testing ? 'lobby.testing' : 'lobby.test')}
        </button>
      </div>
    </div>
  );
}
