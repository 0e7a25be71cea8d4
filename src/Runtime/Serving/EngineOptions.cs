namespace Weft;

/// <summary>How an engine serves.</summary>
public sealed record EngineOptions
{
    /// <summary>Most requests that wait for their first step; one more is refused.</summary>
    public int MaxWaiting { get; init; } = 1024;

    /// <summary>
    /// How long a step may take that also draws tokens for others: prompts are cut so that it is met, going by the speed of steps before.
    /// </summary>
    public TimeSpan StepTime { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Name of the model in metrics.</summary>
    public string ModelName { get; init; } = "";

    internal void Validate()
    {
        OptionException.ThrowUnless(MaxWaiting >= 1, "max_waiting", MaxWaiting, "at least 1");
        OptionException.ThrowUnless(StepTime > TimeSpan.Zero, "step_time", StepTime, "a positive time");
    }
}
