/** Informed consent, before any device is asked for. Everything said here follows from the design; every box starts unticked. */
import { useState } from 'preact/hooks';
import { t, type Key } from '../i18n';
import type { JoinInfo } from '../protocol/types';
import { Paragraphs, useScreen } from '../ui/controls';
import { Icon, type IconName } from '../ui/icons';

export interface Consents {
  take_part: boolean;
  record: boolean;
  quote: boolean;
}

export function Consent({ info, onAgree, onDecline, survey }: { info: JoinInfo; onAgree: (given: Consents) => void; onDecline: () => void; survey?: boolean }) {
  const [given, setGiven] = useState<Consents>({ take_part: false, record: false, quote: false });
  const [missing, setMissing] = useState(false);
  const screen = useScreen(info.title);
  const { privacy, consent } = info;
  const minutes = info.stages.reduce((sum, stage) => sum + (stage.minutes ?? 0), 0);
  const facts: Array<[IconName, Key, string]> = [
    ['people', 'consent.what', survey ? t('survey.what') : info.min_size === info.max_size ? t('consent.what.same', { size: info.max_size, n: Math.round(minutes) }) : t('consent.what.text', { min: info.min_size, max: info.max_size, n: Math.round(minutes) })],
    ['spark', 'consent.ai', t(info.facilitation === 'off' ? 'consent.ai.off' : info.facilitation === 'rules' ? 'consent.ai.rules' : info.model_outside ? 'consent.ai.outside' : 'consent.ai.inside')],
    ...(survey
      ? []
      : ([
          ['captions', 'consent.transcript', t('consent.transcript.text')],
          ['mic', 'consent.recording', t(privacy.record_video ? 'consent.recording.video' : privacy.record_audio ? 'consent.recording.yes' : 'consent.recording.no')],
        ] as Array<[IconName, Key, string]>)),
    ['human', 'consent.who', `${t(survey ? 'survey.who' : 'consent.who.text')} ${t(`consent.who.${privacy.mode}`)}`],
    ['quote', 'consent.licence', t('consent.licence.text', { licence: consent.licence })],
    ['clock', 'consent.long', t('consent.long.text', { n: privacy.retention_days })],
    ['leave', 'consent.withdraw', `${t('consent.withdraw.text')} ${t(privacy.on_withdraw === 'erase' ? 'consent.withdraw.erase' : 'consent.withdraw.pseudonymise')} ${t('consent.contact', { contact: consent.contact })}`],
  ];
  const box = (item: keyof Consents, key: Key, detail: Key, required: boolean) => (
    <label class={missing && item === 'take_part' ? 'tick wanted' : 'tick'}>
      <input
        type="checkbox"
        data-testid={`consent-${item.replace('_', '-')}`}
        checked={given[item]}
        required={required}
        aria-describedby={missing && required ? 'consent-missing' : undefined}
        onChange={(event) => {
          setGiven({ ...given, [item]: event.currentTarget.checked });
          setMissing(false);
        }}
      />
      <span>
        <strong>{t(key)}</strong>
        <span class="tick-detail">{t(detail)}</span>
        <span class="tick-need">{t(required ? 'consent.required' : 'consent.optional')}</span>
      </span>
    </label>
  );
  return (
    <main class="consent column">
      <p class="eyebrow">{t('consent.eyebrow', { organiser: consent.organiser })}</p>
      <h1 dir="auto" {...screen}>{info.title}</h1>
      <p class="question" dir="auto">{info.question}</p>
      {consent.purpose && <Paragraphs text={consent.purpose} />}
      <h2>{t('consent.heading')}</h2>
      <dl class="facts">
        {facts.map(([icon, title, text]) => (
          <div key={title} class="fact">
            <dt>
              <Icon name={icon} />
              {t(title)}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <h2>{t('consent.choose')}</h2>
      <form
        class="consent-form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (given.take_part) onAgree(given);
          else {
            setMissing(true);
            event.currentTarget.querySelector('input')?.focus();
          }
        }}
      >
        {box('take_part', survey ? 'survey.box' : info.facilitation === 'off' ? 'consent.box.plain' : 'consent.box.ai', survey ? 'survey.box.detail' : 'consent.box.ai.detail', true)}
        {privacy.record_audio && !survey && box('record', privacy.record_video ? 'consent.box.record.video' : 'consent.box.record', 'consent.box.record.detail', false)}
        {box('quote', 'consent.box.quote', 'consent.box.quote.detail', false)}
        {missing && (
          <p id="consent-missing" class="problem" role="alert">
            {t('consent.missing')}
          </p>
        )}
        <div class="actions">
          <button type="submit" class="button primary" data-testid="consent-continue">
            {t('consent.continue')}
          </button>
          <button type="button" class="button quiet" data-testid="consent-decline" onClick={onDecline}>
            {t('consent.decline')}
          </button>
        </div>
        <p class="fine">{t('consent.version', { version: consent.version })}</p>
      </form>
    </main>
  );
}
