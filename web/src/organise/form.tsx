/**
 * The design as a form, for who does not write YAML: the common things; all others stay as the file has them. The file is the one truth: each
 * change here is written into it (without its comments), and what is typed there is shown here once it can be read.
 */
import { useState } from 'preact/hooks';
import { LANGUAGES, maybe, t } from '../i18n';
import { Select } from '../ui/controls';
import { Count, Entries, Lines, Text, Tick } from './fields';
import { StageFields } from './stage';
import type { Given, Json } from './yaml';
import { HERE, moment, wallTime, zones } from './zone';

const METHODS = ['opinion-groups', 'agreement', 'bridging', 'slate', 'ballots', 'moral-graph', 'cases', 'cohorts', 'credit'];
const MODES = ['named', 'pseudonym', 'chatham-house'] as const;

export function DesignForm({ design, onChange }: { design: Given; onChange: (design: Given) => void }) {
  const set = (key: string, value: Json) => onChange({ ...design, [key]: value });
  const part = (key: string) => object(design[key]);
  const setIn = (key: string, inner: string, value: Json) => set(key, { ...part(key), [inner]: value });
  const methods = design['outcome_methods'] === undefined ? METHODS.slice(0, 2) : texts(design['outcome_methods']);
  const mode = (part('privacy')['mode'] as (typeof MODES)[number] | undefined) ?? 'pseudonym';
  return (
    <div class="design-form" data-testid="design-form">
      <Text label={t('form.title')} value={design['title']} testid="form-title" onChange={(value) => set('title', value)} />
      <Text label={t('form.question')} value={design['question']} rows={2} testid="form-question" onChange={(value) => set('question', value)} />
      <Select label={t('form.language')} value={String(design['language'] ?? 'en')} options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))} onChange={(value) => set('language', value)} />
      <Opening value={design['opens_at']} onChange={(value) => set('opens_at', value)} />

      <Part title={t('form.stages')} open>
        <Entries
          entries={objects(design['stages'])}
          onChange={(stages) => set('stages', stages)}
          make={() => ({ id: fresh(objects(design['stages'])), kind: 'discussion', title: '', minutes: 10 })}
          name={(stage, index) => String(stage['title'] || index + 1)}
          add={t('form.stage.add')}
          testid="form-stage"
        >
          {(stage, change) => <StageFields stage={stage} onChange={change} />}
        </Entries>
      </Part>

      <Part title={t('form.briefing')}>
        <Entries entries={objects(design['briefing'])} onChange={(entries) => set('briefing', entries)} make={() => ({ title: '', text: '' })} name={(one, index) => String(one['title'] || index + 1)} add={t('form.briefing.add')} testid="form-briefing">
          {(one, change) => (
            <>
              <Text label={t('form.briefing.title')} value={one['title']} onChange={(value) => change({ ...one, title: value })} />
              <Text label={t('form.briefing.text')} value={one['text']} rows={4} hint={t('form.briefing.hint')} onChange={(value) => change({ ...one, text: value })} />
              <Text label={t('form.briefing.url')} value={one['url']} type="url" onChange={(value) => change({ ...one, url: value })} />
            </>
          )}
        </Entries>
      </Part>

      <Part title={t('form.groups')}>
        <div class="form-row">
          <Count label={t('form.groups.min')} value={part('groups')['min_size'] ?? 3} min={2} max={8} testid="form-min" onChange={(value) => setIn('groups', 'min_size', value)} />
          <Count label={t('form.groups.target')} value={part('groups')['target_size'] ?? 5} min={2} max={8} onChange={(value) => setIn('groups', 'target_size', value)} />
          <Count label={t('form.groups.max')} value={part('groups')['max_size'] ?? 6} min={2} max={8} onChange={(value) => setIn('groups', 'max_size', value)} />
          <Count label={t('form.groups.wait')} value={part('groups')['wait_seconds'] ?? 60} min={0} max={3600} onChange={(value) => setIn('groups', 'wait_seconds', value)} />
          <Count label={t('form.rounds')} value={design['rounds'] ?? 1} min={1} max={10} onChange={(value) => set('rounds', value)} />
        </div>
        <Tick label={t('form.practice')} checked={design['practice'] !== false} onChange={(checked) => set('practice', checked)} />
      </Part>

      <Part title={t('form.poll')}>
        <p class="hint">{t('form.poll.hint')}</p>
        <Entries entries={objects(design['poll'])} onChange={(entries) => set('poll', entries)} make={() => ({ id: fresh(objects(design['poll']), 'question'), text: '', scale: 5 })} name={(one, index) => String(one['text'] || index + 1)} add={t('form.poll.add')} testid="form-poll">
          {(one, change) => (
            <>
              <Text label={t('form.poll.text')} value={one['text']} onChange={(value) => change({ ...one, text: value })} />
              <div class="form-row">
                <Count label={t('form.poll.scale')} value={one['scale'] ?? 5} min={2} max={10} onChange={(value) => change({ ...one, scale: value })} />
                <Text label={t('form.poll.low')} value={one['low']} onChange={(value) => change({ ...one, low: value })} />
                <Text label={t('form.poll.high')} value={one['high']} onChange={(value) => change({ ...one, high: value })} />
              </div>
            </>
          )}
        </Entries>
      </Part>

      <Part title={t('form.privacy')}>
        <Select
          label={t('form.privacy.mode')}
          value={mode}
          options={MODES.map((value) => ({ value, label: t(`privacy.${value}`) }))}
          onChange={(value) => set('privacy', { ...part('privacy'), mode: value, ...(value === 'named' ? {} : { record_audio: false, record_video: false }) })}
        />
        <Tick label={t('form.privacy.record')} checked={part('privacy')['record_audio'] === true} disabled={mode !== 'named'} onChange={(checked) => set('privacy', { ...part('privacy'), record_audio: checked, ...(checked ? {} : { record_video: false }) })} />
        <Tick label={t('form.privacy.film')} checked={part('privacy')['record_video'] === true} disabled={part('privacy')['record_audio'] !== true} onChange={(checked) => setIn('privacy', 'record_video', checked)} />
        <Count label={t('form.privacy.days')} value={part('privacy')['retention_days'] ?? 365} min={1} max={36500} onChange={(value) => setIn('privacy', 'retention_days', value)} />
      </Part>

      <Part title={t('form.people')}>
        <Text label={t('form.organiser')} value={part('consent')['organiser']} onChange={(value) => setIn('consent', 'organiser', value)} />
        <Text label={t('form.contact')} value={part('consent')['contact']} onChange={(value) => setIn('consent', 'contact', value)} />
        <Text label={t('form.purpose')} value={part('consent')['purpose']} rows={2} onChange={(value) => setIn('consent', 'purpose', value)} />
        <Text label={t('form.recruitment')} value={design['recruitment']} rows={2} hint={t('form.recruitment.hint')} onChange={(value) => set('recruitment', value)} />
        <Segments value={part('segments')} onChange={(segments) => set('segments', segments)} />
      </Part>

      <Part title={t('form.methods')}>
        <p class="hint">{t('form.methods.hint')}</p>
        {METHODS.map((method) => (
          <Tick
            key={method}
            label={
              <>
                {maybe(`method.name.${method}`) ?? method} <span class="muted">{maybe(`method.about.${method}`)}</span>
              </>
            }
            checked={methods.includes(method)}
            onChange={(checked) => set('outcome_methods', checked ? [...methods, method] : methods.filter((one) => one !== method))}
          />
        ))}
      </Part>
    </div>
  );
}

function Part({ title, open, children }: { title: string; open?: boolean; children: preact.ComponentChildren }) {
  return (
    <details class="form-part" open={open}>
      <summary>{title}</summary>
      <div class="form-part-body">{children}</div>
    </details>
  );
}

function Opening({ value, onChange }: { value: Json | undefined; onChange: (value: string) => void }) {
  const [zone, setZone] = useState(HERE);
  const local = typeof value === 'string' ? wallTime(value, zone) : '';
  return (
    <div class="form-row">
      <Text label={t('form.opens')} value={local} type="datetime-local" hint={t('form.opens.hint')} testid="form-opens" onChange={(text) => onChange(moment(text, zone))} />
      <Select
        label={t('form.zone')}
        value={zone}
        options={zones().map((name) => ({ value: name, label: name.replaceAll('_', ' ') }))}
        onChange={(name) => {
          setZone(name);
          if (local) onChange(moment(local, name));
        }}
      />
    </div>
  );
}

/** What people are asked about themselves: a name and its values. */
function Segments({ value, onChange }: { value: Given; onChange: (value: Given) => void }) {
  const entries = Object.entries(value);
  return (
    <>
      <p class="hint">{t('form.segments.hint')}</p>
      <Entries entries={entries} onChange={(next) => onChange(Object.fromEntries(next))} make={() => [`${t('form.segments.new')} ${entries.length + 1}`, []] as [string, Json]} name={([name]) => name} add={t('form.segments.add')}>
        {([name, values], change) => (
          <>
            <Text label={t('form.segments.name')} value={name} onChange={(text) => change([text, values])} />
            <Lines label={t('form.segments.values')} value={values} onChange={(lines) => change([name, lines])} />
          </>
        )}
      </Entries>
    </>
  );
}

/** An id that no other entry has. */
function fresh(entries: Given[], stem = 'stage'): string {
  const taken = new Set(entries.map((one) => one['id']));
  let number = entries.length + 1;
  while (taken.has(`${stem}-${number}`)) number += 1;
  return `${stem}-${number}`;
}

function object(value: Json | undefined): Given {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function objects(value: Json | undefined): Given[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}
