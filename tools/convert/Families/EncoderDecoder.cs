namespace Weft.Convert.Families;

/// <summary>What encoder-decoders' files say alike.</summary>
internal static class EncoderDecoder
{
    /// <summary>
    /// What every generated text begins with: the decoder's start token and the first token that generation is told to force, which generation_config.json may say instead of config.json.
    /// </summary>
    /// <param name="config">The config.</param>
    /// <param name="whenMissing">The start token where neither file names one.</param>
    public static IReadOnlyList<int> StartTokens(ConfigFile config, int? whenMissing = null)
    {
        var generation = config.Beside("generation_config.json");
        int? Find(string name) => generation?.Has(name) == true ? generation.Int(name) : config.Has(name) ? config.Int(name) : null;
        var start = Find("decoder_start_token_id") ?? whenMissing ?? throw config.Error("'decoder_start_token_id' is missing");
        return Find("forced_bos_token_id") is { } forced ? [start, forced] : [start];
    }
}
