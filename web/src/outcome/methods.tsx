/** Which section shows a method's figures: one entry per method. Without one its figures are shown as plain tables. */
import type { ComponentType } from 'preact';
import type { OutcomeResult } from '../protocol/types';
import { CasesSection } from './cases';
import type { Found } from './data';
import { CohortsSection, CreditSection } from './linked';
import { MoralGraphSection } from './moral-graph';
import { AgreementSection, BallotsSection, BridgingSection, ChangeSection, OpinionGroupsSection, SlateSection } from './sections';

export interface SectionProps {
  found: Found;
  figures: unknown;
  result: OutcomeResult;
}

export const SECTIONS: Record<string, ComponentType<SectionProps>> = {
  'opinion-groups': section(OpinionGroupsSection),
  agreement: section(AgreementSection),
  bridging: section(BridgingSection),
  slate: section(SlateSection),
  ballots: section(BallotsSection),
  change: section(ChangeSection),
  cohorts: section(CohortsSection),
  credit: section(CreditSection),
  'moral-graph': section(MoralGraphSection),
  cases: section(CasesSection),
};

/** The server sends each method's own figures: its section knows their shape. */
function section<F>(Section: ComponentType<{ found: Found; figures: F; result: OutcomeResult }>): ComponentType<SectionProps> {
  return ({ found, figures, result }) => <Section found={found} figures={figures as F} result={result} />;
}
