using Weft.Load.Client;
using Weft.Load.Report;
using Weft.Load.Workload;

namespace Weft.Load;

/// <summary>Puts an OpenAI-compatible server under load and measures what its clients would see.</summary>
public static class LoadGenerator
{
    /// <summary>Finds the model, learns how words become tokens, warms up, measures.</summary>
    /// <param name="options">What to send, and how fast.</param>
    /// <param name="note">Is told what is unusual, a sentence at a time.</param>
    /// <param name="finished">Is told of each measured request that ended, on any thread.</param>
    /// <param name="cancellationToken">Stops; once measuring has begun, what was measured until then is reported.</param>
    /// <exception cref="LoadException">The server does not answer, or not to a request of this kind.</exception>
    /// <exception cref="OperationCanceledException">Stopped before measuring began.</exception>
    public static async Task<LoadReport> RunAsync(LoadOptions options, Action<string> note, Action finished, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(note);
        ArgumentNullException.ThrowIfNull(finished);
        using var client = new ServerClient(options);
        try
        {
            var model = options.Model ?? await client.FirstModelAsync(cancellationToken).ConfigureAwait(false)
                ?? throw new LoadException("the server lists no models, so the model has to be named");
            var (template, scale) = await Calibration.RunAsync(client, options, model, note, cancellationToken).ConfigureAwait(false);
            var run = new LoadRun(options, client, template, new PromptWriter(options, scale));
            await run.WarmUpAsync(cancellationToken).ConfigureAwait(false);
            var (began, records) = await run.RunAsync(finished, cancellationToken).ConfigureAwait(false);
            return LoadReport.Of(options, template, scale, began, records);
        }
        catch (ServerFailureException failure)
        {
            throw new LoadException(failure.Message, failure);
        }
    }
}
