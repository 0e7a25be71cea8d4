using Weft.KvCache;
using Weft.Scheduling;

namespace Weft;

/// <summary>Which rows of logits a forward pass computes.</summary>
public enum LogitRows
{
    /// <summary>None: only the cache is filled.</summary>
    None,

    /// <summary>The last token's.</summary>
    Last,

    /// <summary>Every token's.</summary>
    All,
}

/// <summary>One token sequence and its share of the key/value cache.</summary>
public sealed class Sequence : IDisposable
{
    private readonly Model model;
    private readonly BlockTable table;
    private readonly BlockTable? sourceTable;
    private int[] source = [];
    private Prefix prefix;
    private int promptLength;

    internal Sequence(Model model)
    {
        this.model = model;
        table = new BlockTable(model.Blocks, model.Positions, model.States);
        sourceTable = model.Header.Model.Encoder is null ? null : new BlockTable(model.Blocks, model.ContextLength);
    }

    /// <summary>T: tokens processed so far, without the model's virtual ones.</summary>
    public int Length => Math.Max(0, table.Length - model.VirtualTokens);

    /// <summary>Gives an empty sequence of a model with an encoder the text that it attends to, in place of one that it had; the next tokens' step reads it.</summary>
    /// <param name="tokens">[S] token ids, at least one, each below V.</param>
    /// <exception cref="InvalidOperationException">The model has no encoder, or the sequence has tokens.</exception>
    /// <exception cref="WeftException">The source does not fit the context, or an id is out of range.</exception>
    public void Encode(ReadOnlySpan<int> tokens)
    {
        if (sourceTable is null || Length > 0)
            throw new InvalidOperationException(sourceTable is null ? "The model has no encoder." : "The sequence has tokens already.");
        ArgumentOutOfRangeException.ThrowIfZero(tokens.Length, nameof(tokens));
        Validate(tokens);
        sourceTable.Truncate(0);
        source = tokens.ToArray();
    }

    /// <summary>
    /// Processes <paramref name="tokens"/> [N] after those already there, in chunks if they are many. Where tokens of a prompt see each other, the first
    /// tokens of a sequence are its prompt. An empty sequence computes virtual tokens of the model first.
    /// </summary>
    /// <param name="tokens">Token ids, each below V.</param>
    /// <param name="rows">Which rows of logits to compute.</param>
    /// <param name="logits">Receives them: [N, V], [V] or nothing.</param>
    /// <param name="cancellationToken">Stops between chunks; the tokens of finished chunks stay.</param>
    /// <exception cref="WeftException">The context or the cache is full, or an id is out of range.</exception>
    public void Forward(ReadOnlySpan<int> tokens, LogitRows rows, Span<float> logits, CancellationToken cancellationToken = default)
    {
        Validate(tokens);
        if (sourceTable is not null && source.Length == 0)
            throw new InvalidOperationException("The model attends to a source, which the sequence needs first.");
        var needed = rows switch
        {
            LogitRows.All => tokens.Length,
            LogitRows.Last => Math.Min(tokens.Length, 1),
            _ => 0,
        };
        var width = model.Header.Model.VocabularySize;
        if (logits.Length < (long)needed * width)
            throw new ArgumentException($"{needed} rows of {width} logits do not fit a span of {logits.Length}", nameof(logits));
        var chunk = rows == LogitRows.All ? Math.Min(model.MaxTokensPerStep, model.MaxLogitRows) : model.MaxTokensPerStep;
        if (Length == 0)
            prefix = Prefix.Find(model.Header.Model.Prefix, tokens);
        if (Length == 0 && prefix.Length > chunk)
            throw new WeftException($"{prefix.Length} tokens of the prompt see each other and are computed in one step, which takes {chunk}");
        // Nobody says where tokens come from: a single one after others is taken for one that was drawn.
        var drawn = tokens.Length == 1 && Length > 0 ? 1 : 0;
        // What comes first is the prompt, as far as that makes a difference for keys.
        if (Length == 0)
            promptLength = model.VirtualTokens + tokens.Length;
        if (tokens.Length > 0)
            BeginWithVirtualTokens(cancellationToken);
        while (tokens.Length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var now = tokens[..Math.Min(chunk, tokens.Length)];
            tokens = tokens[now.Length..];
            var wanted = rows == LogitRows.Last && tokens.Length > 0 ? LogitRows.None : rows;
            var step = Submit(now, wanted, drawn);
            if (wanted == LogitRows.None)
                continue;
            var count = model.Program.Receive(step).Length;
            for (var row = 0; row < count; row++)
            {
                model.Program.Logits(row).CopyTo(logits);
                logits = logits[width..];
            }
        }
    }

    /// <summary>Forgets the tokens from <paramref name="length"/> on; a source stays.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many.</exception>
    /// <exception cref="ArgumentException">Tokens of a prompt that see each other would stay without those that they saw.</exception>
    /// <exception cref="NotSupportedException">The model has recurrent blocks, whose state cannot go back, and not all tokens are to be forgotten.</exception>
    public void Truncate(int length)
    {
        if (length > 0 && length < prefix.Length)
            throw new ArgumentException($"the first {prefix.Length} tokens see each other and are forgotten together", nameof(length));
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        table.Truncate(length == 0 ? 0 : model.VirtualTokens + length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        table.Dispose();
        sourceTable?.Dispose();
    }

    private void BeginWithVirtualTokens(CancellationToken cancellationToken)
    {
        // Some may be left of a text that failed or was cancelled before its first token.
        if (Length == 0)
            table.Truncate(0);
        while (table.Length < model.VirtualTokens)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // Their positions say what they are.
            Submit(new int[Math.Min(model.MaxTokensPerStep, model.VirtualTokens - table.Length)], LogitRows.None, 0);
        }
    }

    private long Submit(ReadOnlySpan<int> tokens, LogitRows rows, int drawn)
    {
        var first = table.Length;
        if (model.States is { FreeCount: 0, Sequences: var most } && table.StateSlot < 0)
            throw new WeftException($"the model was loaded for {most} sequences at a time, and as many have a state");
        var encodes = sourceTable is { Length: 0 };
        BlockCopy? copy = null;
        if (sourceTable?.TryExtend(source.Length, out _) == false || !table.TryExtend(first + tokens.Length, out copy))
        {
            if (encodes)
                sourceTable!.Truncate(0);
            throw new WeftException(
                $"the key/value cache is full: {tokens.Length} more tokens do not fit beside the {Length} of this sequence and those of others");
        }

        var program = model.Program;
        if (copy is { } request)
            program.CopyBlock(request);
        program.Batch.Clear();
        program.Batch.Add(tokens, first, table, rows, drawn, promptLength: promptLength, prefix: prefix, source: sourceTable);
        if (encodes)
            program.Batch.AddSource(source, sourceTable!);
        try
        {
            return program.Submit();
        }
        catch when (encodes)
        {
            // What the step was to encode is not there: the next one reads the source again.
            sourceTable!.Truncate(0);
            throw;
        }
    }

    /// <summary>Checks ids and that they fit the context.</summary>
    /// <exception cref="WeftException">They do not.</exception>
    private void Validate(ReadOnlySpan<int> tokens)
    {
        var vocabulary = model.Header.Model.VocabularySize;
        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)vocabulary)
                throw new WeftException($"token id {token} is outside the model's vocabulary of {vocabulary}");
        }

        if (Length + tokens.Length > model.ContextLength)
        {
            throw new WeftException(
                $"{Length + tokens.Length} tokens do not fit the context of {model.ContextLength}");
        }
    }
}
