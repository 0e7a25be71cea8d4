namespace Weft.Tokenizers.Models;

/// <summary>
/// Pairs of a vocabulary without merges: two symbols merge when their joint text is a token, the highest score first (SentencePiece) or
/// the lowest id (tiktoken). Nothing becomes a control token or one that stands for a byte, and those that are matched whole take no part.
/// </summary>
internal sealed class JointPairs : IPairs
{
    private readonly TokenTable table;
    private readonly int[]? ranks;
    private readonly HashSet<int> whole;
    private readonly HashSet<int> apart;

    public JointPairs(TokenModelDescription description, TokenTable table)
    {
        this.table = table;
        whole = [.. description.WholeTokens];
        apart = [.. whole, .. description.ControlTokens];
        if (description.ByteFallback)
            apart.UnionWith(ByteTokens.Find(description.Tokens));
        apart.Remove(-1);
        if (description.Scores is not { } scores)
            return;
        var order = new int[scores.Count];
        for (var id = 0; id < order.Length; id++)
            order[id] = id;
        Array.Sort([.. scores], order);
        ranks = new int[scores.Count];
        for (var i = order.Length - 2; i >= 0; i--)
            ranks[order[i]] = ranks[order[i + 1]] + (scores[order[i]] == scores[order[i + 1]] ? 0 : 1);
    }

    /// <inheritdoc/>
    public bool TryFind(int left, int right, ReadOnlySpan<byte> joint, out int rank, out int id)
    {
        rank = 0;
        id = table.Find(joint);
        if (id < 0 || (apart.Count > 0 && apart.Contains(id)) || (whole.Count > 0 && (whole.Contains(left) || whole.Contains(right))))
            return false;
        rank = ranks is null ? id : ranks[id];
        return true;
    }
}
