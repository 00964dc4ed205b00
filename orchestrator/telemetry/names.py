"""The attribute names we read and write, vendored: the package that has them is a beta, and moves them with every release.

GenAI and error names: open-telemetry/semantic-conventions, docs/gen-ai/gen-ai-spans.md and gen-ai-agent-spans.md, as of
opentelemetry-semantic-conventions 0.66b2 (where it lacks one, the page's own spelling). OpenInference names:
Arize-ai/openinference, openinference-semantic-conventions 0.1.42.
"""

# --- OpenTelemetry ---------------------------------------------------------------------------------------------
SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
ERROR_TYPE = "error.type"
GEN_AI_OPERATION = "gen_ai.operation.name"
GEN_AI_PROVIDER = "gen_ai.provider.name"
GEN_AI_SYSTEM = "gen_ai.system"  # what the provider was called until 1.37
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_REQUEST = "gen_ai.request."
# Settings of a model call that have a name of their own.
GEN_AI_SETTINGS = {
    "choice.count", "encoding_formats", "frequency_penalty", "max_tokens", "presence_penalty", "seed", "stop_sequences", "stream",
    "temperature", "top_k", "top_p",
}  # fmt: skip
GEN_AI_PROMPT_NAME = "gen_ai.prompt.name"
GEN_AI_DATA_SOURCE = "gen_ai.data_source.id"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_WORKFLOW_NAME = "gen_ai.workflow.name"
GEN_AI_CONVERSATION = "gen_ai.conversation.id"
GEN_AI_AGENT_NAME = "gen_ai.agent.name"
GEN_AI_TOOL_NAME = "gen_ai.tool.name"
GEN_AI_TOOL_CALL = "gen_ai.tool.call.id"
GEN_AI_TOOL_TYPE = "gen_ai.tool.type"
GEN_AI_TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
GEN_AI_TOOL_RESULT = "gen_ai.tool.call.result"
GEN_AI_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_CACHE_READ = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_CACHE_WRITE = "gen_ai.usage.cache_creation.input_tokens"
GEN_AI_REASONING = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_PROMPT_TOKENS = "gen_ai.usage.prompt_tokens"  # input and output until 1.27
GEN_AI_COMPLETION_TOKENS = "gen_ai.usage.completion_tokens"

# --- OpenInference ---------------------------------------------------------------------------------------------
OPENINFERENCE_KIND = "openinference.span.kind"
LLM_MODEL = "llm.model_name"
LLM_PROVIDER = "llm.provider"
LLM_INPUT_TOKENS = "llm.token_count.prompt"
LLM_OUTPUT_TOKENS = "llm.token_count.completion"
LLM_CACHE_READ = "llm.token_count.prompt_details.cache_read"
LLM_CACHE_WRITE = "llm.token_count.prompt_details.cache_write"
LLM_REASONING = "llm.token_count.completion_details.reasoning"
LLM_COST = "llm.cost.total"
TOOL_NAME = "tool.name"
AGENT_NAME = "agent.name"

# --- Ours: nothing standard says how an approval went ------------------------------------------------------------
DECISION_OUTCOME = "controlplane.decision.outcome"
POLICY_VERSION = "controlplane.policy.version"
ACTION_DIGEST = "controlplane.action.digest"
EVIDENCE_REF = "controlplane.evidence.ref"
UNIT = "controlplane.unit.id"
RELEASE = "controlplane.release"
OUTCOME = "controlplane.outcome"
PROMPT_DIGEST = "controlplane.prompt.digest"
REQUEST_DIGEST = "controlplane.request.digest"
SETTING = "controlplane.model."
POLICY_VERDICT = "controlplane.policy.verdict"
REQUESTER = "controlplane.requester"
STEP = "controlplane.step"
ATTEMPT = "controlplane.attempt"
