/** Short names for the generated types of the gateway's API. Holds no shape of its own. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type AssetView = Schemas['AssetView'];
export type AssetKind = AssetView['asset_type'];
export type JobView = Schemas['JobView'];
export type JobPage = Schemas['JobPage'];
export type JobAccepted = Schemas['JobAccepted'];
export type PublicState = JobView['status'];
export type Mode = JobView['mode'];
export type JobAssetView = Schemas['JobAssetView'];
export type Role = JobAssetView['role'];
export type ProgressView = Schemas['ProgressView'];
export type ErrorView = Schemas['ErrorView'];
export type OutputsView = Schemas['OutputsView'];
export type EventPage = Schemas['EventPage'];
export type EventView = Schemas['EventView'];
export type ShareView = Schemas['ShareView'];
export type SharedView = Schemas['SharedView'];
export type StorageView = Schemas['StorageView'];
export type Export = Schemas['Export'];
export type ReplayView = Schemas['ReplayView'];
export type Problem = Schemas['Problem'];
export type FieldProblem = Schemas['FieldProblem'];
export type Capabilities = Schemas['Capabilities'];
export type ModeAvailability = Schemas['ModeAvailability'];
export type ProfileAvailability = Schemas['ProfileAvailability'];
export type AnimateRequest = Schemas['AnimateRequest'];
export type AudioPerformanceRequest = Schemas['AudioPerformanceRequest'];
export type StartEndRequest = Schemas['StartEndRequest'];
export type PoseControlRequest = Schemas['PoseControlRequest'];
export type MotionClipRequest = Schemas['MotionClipRequest'];
export type CharacterDraft = Schemas['CharacterDraft'];
export type CharacterView = Schemas['CharacterView'];
export type CharacterList = Schemas['CharacterList'];
export type PresetDraft = Schemas['PresetDraft'];
export type PresetView = Schemas['PresetView'];
export type PresetList = Schemas['PresetList'];
export type DeadLetterDetail = Schemas['DeadLetterDetail'];
export type DeadLetterPage = Schemas['DeadLetterPage'];
export type Deliveries = Schemas['Deliveries'];
export type ActivationView = Schemas['ActivationView'];
export type Difference = Schemas['Difference'];
export type SessionView = Schemas['SessionView'];
export type PackList = Schemas['PackList'];
export type JobRequest =
  | AnimateRequest
  | AudioPerformanceRequest
  | StartEndRequest
  | PoseControlRequest
  | MotionClipRequest;
export type Preview = Schemas['Preview'];
export type JobPlan = Schemas['JobPlan'];
export type CropBox = Schemas['CropBox'];
export type QualityProfile = Schemas['JobPlan']['quality_profile'];
export type AspectRatio = Schemas['JobPlan']['aspect_ratio'];
export type WorkflowView = Schemas['WorkflowView'];
export type HealthView = Schemas['HealthView'];
export type QueueReport = Schemas['QueueReport'];
export type PromptView = Schemas['PromptView'];
export type EngineSnapshot = Schemas['EngineSnapshot'];
