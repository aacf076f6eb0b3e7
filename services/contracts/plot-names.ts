/** Pictures of a run, by the names of their files. */
export const plotNames = ['loss_curve', 'reward_curve', 'kl_curve', 'lr_curve'] as const;
export type PlotName = (typeof plotNames)[number];
