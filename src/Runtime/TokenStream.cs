using Weft.Sampling;
using Weft.Scheduling;

namespace Weft;

/// <summary>
/// Draws one sequence's tokens after a prompt. On a device whose steps run ahead, the step that needs a token is submitted before the host
/// has seen the token, so that the device never waits; what it computes after the last token that the caller takes is dropped.
/// </summary>
internal sealed class TokenStream : IDisposable
{
    private readonly Model model;
    private readonly Sequence sequence;
    private readonly Sampler sampler;
    private int undrawn;
    private long? pending;
    private int last;

    /// <summary>Submits the prompt.</summary>
    /// <param name="model">What computes.</param>
    /// <param name="prompt">At least one token.</param>
    /// <param name="options">How tokens are drawn.</param>
    /// <param name="maxTokens">Most tokens to draw.</param>
    /// <param name="cancellationToken">Stops between chunks of the prompt.</param>
    /// <exception cref="WeftException">The prompt does not fit, or an id or option is out of range.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public TokenStream(Model model, ReadOnlySpan<int> prompt, SamplingOptions options, int maxTokens, CancellationToken cancellationToken)
    {
        this.model = model;
        sampler = new(options, model.Header.Model.VocabularySize);
        sampler.Observe(prompt);
        undrawn = maxTokens;
        sequence = model.CreateSequence();
        try
        {
            sequence.Validate(prompt);
            for (; prompt.Length > model.MaxTokensPerStep; prompt = prompt[model.MaxTokensPerStep..])
            {
                cancellationToken.ThrowIfCancellationRequested();
                sequence.Submit(prompt[..model.MaxTokensPerStep], LogitRows.None, null);
            }

            cancellationToken.ThrowIfCancellationRequested();
            pending = sequence.Submit(prompt, LogitRows.Last, sampler);
        }
        catch
        {
            sequence.Dispose();
            throw;
        }
    }

    /// <summary>Waits for the next token.</summary>
    /// <returns>False after the last token or at the end of the context.</returns>
    /// <exception cref="WeftException">No token can be drawn, or the cache is full.</exception>
    public bool TryNext(out int token)
    {
        token = last;
        if (pending is null && CanGoOn)
            pending = sequence.Submit([last], LogitRows.Last, sampler);
        if (pending is not { } step || undrawn == 0)
            return false;
        undrawn--;
        pending = model.Program.RunsAhead && model.Program.LastStep == step && CanGoOn
            ? sequence.TrySubmit([StepBatch.DrawnBy(0)], LogitRows.Last, sampler)
            : null;
        token = last = model.Program.Receive(step)[0];
        if (token < 0)
            throw Undrawable.Exception(token);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        model.Program.Forget(sampler);
        sequence.Dispose();
    }

    private bool CanGoOn => undrawn > 0 && sequence.Length < model.ContextLength;
}
