/** One stage in the design's form, with the settings that its kind has. Kinds without fields of their own are settled in the file. */
import { t } from '../i18n';
import { Select } from '../ui/controls';
import { Count, Lines, Text, Tick } from './fields';
import type { Given } from './yaml';

const KINDS = ['discussion', 'statements', 'ballot', 'group-statement', 'values', 'wiser', 'cases', 'closing'] as const;
const RULES = ['approval', 'plurality', 'irv', 'schulze', 'weighted', 'quadratic'] as const;

export function StageFields({ stage, onChange }: { stage: Given; onChange: (stage: Given) => void }) {
  const set = (key: string, value: Given[string]) => onChange({ ...stage, [key]: value });
  const kind = String(stage['kind'] ?? 'discussion');
  const untimed = stage['minutes'] === null;
  return (
    <>
      <div class="form-row">
        <Select label={t('form.stage.kind')} value={kind} testid="form-stage-kind" options={KINDS.map((value) => ({ value, label: t(`stage.kind.${value}`) }))} onChange={(value) => set('kind', value)} />
        <Text label={t('form.stage.title')} value={stage['title']} testid="form-stage-title" onChange={(value) => set('title', value)} />
        {!untimed && <Count label={t('form.stage.minutes')} value={stage['minutes'] ?? 5} min={0.1} max={240} step={0.1} onChange={(value) => set('minutes', value ?? 5)} />}
      </div>
      <Tick label={t('form.stage.untimed')} checked={untimed} onChange={(checked) => set('minutes', checked ? null : 10)} />
      <Text label={t('form.stage.prompt')} value={stage['prompt']} rows={2} onChange={(value) => set('prompt', value)} />
      {kind === 'statements' && <Lines label={t('form.stage.seeds')} value={stage['seed_statements']} hint={t('form.lines')} onChange={(lines) => set('seed_statements', lines)} />}
      {kind === 'ballot' && <BallotFields ballot={(stage['ballot'] as Given | undefined) ?? {}} onChange={(ballot) => set('ballot', ballot)} />}
    </>
  );
}

function BallotFields({ ballot, onChange }: { ballot: Given; onChange: (ballot: Given) => void }) {
  const rule = String(ballot['rule'] ?? 'approval') as (typeof RULES)[number];
  return (
    <>
      <div class="form-row">
        <Select label={t('form.ballot.rule')} value={rule} testid="form-ballot-rule" options={RULES.map((value) => ({ value, label: t(`ballot.rule.${value}`) }))} onChange={(value) => onChange({ ...ballot, rule: value })} />
        <Count label={t('form.ballot.seats')} value={ballot['seats'] ?? 1} min={1} max={20} onChange={(value) => onChange({ ...ballot, seats: value })} />
        {(rule === 'weighted' || rule === 'quadratic') && <Count label={t('form.ballot.budget')} value={ballot['budget'] ?? 25} min={1} max={1000} onChange={(value) => onChange({ ...ballot, budget: value })} />}
      </div>
      <p class="hint">{t(`ballot.hint.${rule}`)}</p>
      <Lines label={t('form.ballot.options')} value={ballot['options']} hint={t('form.ballot.options.hint')} testid="form-ballot-options" onChange={(options) => onChange({ ...ballot, options })} />
    </>
  );
}
