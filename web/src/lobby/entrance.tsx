/** The lobby before joining: who am I, how do I look and sound, where do I stand (the opening poll). */
import { useEffect, useState } from 'preact/hooks';
import { language, t, type Key } from '../i18n';
import type { Devices } from '../media/devices';
import type { Sound } from '../media/sound';
import { postJson } from '../net/api';
import { sentence } from '../net/errors';
import type { JoinInfo, JoinRequest, JoinResponse } from '../protocol/types';
import { Poll } from '../room/poll';
import { Select, useDraft, useScreen } from '../ui/controls';
import type { Consents } from './consent';
import { DevicePanel, Preview } from './devices';

interface Props {
  info: JoinInfo;
  consents: Consents;
  invitation: string | null;
  devices: Devices;
  sound: Sound;
  onJoined: (joined: JoinResponse, mode: Mode) => void;
  /** Answering a survey: nobody is met, so no devices and no choice of how. */
  survey?: boolean;
}

export type Mode = NonNullable<JoinRequest['mode']>;
const WAYS: ReadonlyArray<[Mode, Key, Key]> = [
  ['online', 'lobby.way.speak', 'lobby.way.speak.detail'],
  ['chat', 'lobby.way.write', 'lobby.way.write.detail'],
  ['on-site', 'lobby.way.group', 'lobby.way.group.detail'],
];

export function Entrance({ info, consents, invitation, devices, sound, onJoined, survey = false }: Props) {
  const [mode, setMode] = useState<Mode>(survey ? 'survey' : 'online');
  const [name, setName] = useDraft('name');
  const [answers, setAnswers] = useState<Record<string, number>>({});
  const [segments, setSegments] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const screen = useScreen(t('lobby.title'));
  const speaks = mode === 'online' || mode === 'on-site';
  useEffect(() => {
    if (speaks) void devices.start();
    else devices.stop();
  }, [speaks]);

  const join = async () => {
    if (!name.trim()) {
      setProblem(t('lobby.name.missing'));
      document.getElementById('lobby-name')?.focus();
      return;
    }
    setBusy(true);
    setProblem(null);
    const body: JoinRequest = {
      name: name.trim(),
      language: language.value,
      consent: { ...consents },
      consent_version: info.consent.version,
      answers,
      mode,
      segments: Object.fromEntries(Object.entries(segments).filter(([, value]) => value !== '')),
    };
    try {
      onJoined(await postJson<JoinResponse>(`/api/deliberations/${encodeURIComponent(info.id)}/participants`, invitation, body), mode);
    } catch (error) {
      setProblem(sentence(error));
      setBusy(false);
    }
  };

  return (
    <main class={speaks ? 'entrance' : 'entrance plain'}>
      <form
        class="entrance-form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void join();
        }}
      >
        <p class="eyebrow" dir="auto">{info.title}</p>
        <h1 {...screen}>{t(survey ? 'survey.about' : 'lobby.title')}</h1>
        {!survey && (
          <fieldset class="ways">
            <legend>{t('lobby.way')}</legend>
            {WAYS.map(([way, name, detail]) => (
              <label key={way} class="tick">
                <input type="radio" name="way" value={way} checked={mode === way} data-testid={`way-${way}`} onChange={() => setMode(way)} />
                <span>
                  <strong>{t(name)}</strong>
                  <span class="tick-detail">{t(detail)}</span>
                </span>
              </label>
            ))}
          </fieldset>
        )}
        <div class="field">
          <label for="lobby-name">{t(survey ? 'survey.name' : mode === 'on-site' ? 'lobby.name.group' : 'lobby.name')}</label>
          <input id="lobby-name" data-testid="lobby-name" type="text" maxLength={40} autoComplete="nickname" required value={name} aria-describedby="lobby-name-hint" onInput={(event) => setName(event.currentTarget.value)} />
          <p id="lobby-name-hint" class="hint">
            {t(survey ? 'survey.name.hint' : `lobby.name.${info.privacy.mode}`)}
          </p>
        </div>
        {Object.entries(info.segments).map(([segment, options]) => (
          <Select
            key={segment}
            label={segment}
            value={segments[segment] ?? ''}
            options={[{ value: '', label: t('lobby.rather') }, ...options.map((option) => ({ value: option, label: option }))]}
            onChange={(value) => setSegments({ ...segments, [segment]: value })}
          />
        ))}
        {info.poll.length > 0 && (
          <>
            <h2>{t('poll.opening')}</h2>
            <p class="hint">
              {t('poll.opening.hint')} {t('poll.optional')}
            </p>
            <Poll questions={info.poll} answers={answers} onAnswer={(id, value) => setAnswers({ ...answers, [id]: value })} />
          </>
        )}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="button primary large" disabled={busy} data-testid="lobby-join">
          {t(busy ? 'lobby.joining' : survey ? 'survey.begin' : 'lobby.join')}
        </button>
      </form>
      {speaks && (
        <section class="entrance-look" aria-label={t('lobby.devices')}>
          <Preview devices={devices} />
          <DevicePanel devices={devices} sound={sound} />
        </section>
      )}
    </main>
  );
}
