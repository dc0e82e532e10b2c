/** The counters of a model's runners, by short names. */
export const COUNTERS = {
  generated: 'ollama_model_generated_tokens_total',
  generationSeconds: 'ollama_model_generation_seconds_total',
  prompt: 'ollama_model_prompt_tokens_total',
  cached: 'ollama_model_prompt_cached_tokens_total',
  promptSeconds: 'ollama_model_prompt_seconds_total',
} as const;
