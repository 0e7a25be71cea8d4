using CommandLine;
using Weft.Chat;
using Weft.Cli.Arguments;
using Weft.Cli.Chat;
using Weft.Cli.Output;
using Weft.Convert;

namespace Weft.Cli.Verbs;

/// <summary><c>weft chat</c>: a conversation, in the format of prompts that the model was trained on.</summary>
[Verb("chat", HelpText = "Talks with a model: lines in, answers out, streamed. /help lists what else a line can be; Ctrl-C stops an answer, Ctrl-D ends.")]
internal sealed class ChatVerb : GenerationVerb, IVerb
{
    /// <summary>First system message.</summary>
    [Option("system", MetaValue = "TEXT", HelpText = "Tells the model how to answer, as /system does.")]
    public string? System { get; set; }

    /// <summary>Most tokens of an answer.</summary>
    [Option('n', "max-tokens", MetaValue = "N", HelpText = "Most tokens of an answer; as many as the context has room for when not given.")]
    public int? MaxTokens { get; set; }

    /// <summary>Thoughts are not shown.</summary>
    [Option("hide-thoughts", HelpText = "Does not show what a model thinks (<think>) before it answers; it is dimmed otherwise.")]
    public bool HideThoughts { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        Check.AtLeast("--max-tokens", MaxTokens ?? 1, 1);
        CheckRanges();
        using var model = Load(session, Context ?? 0);
        var tokenizer = ModelParts.TokenizerOf(model, Model);
        var prompter = ChatPrompter.Of(model.Header, tokenizer) ?? throw new WeftException(
            $"'{Model}' has no chat template, so it cannot chat: 'weft run' continues a text, and 'weft convert --chat-template NAME' gives a model one, where NAME is "
            + NamesOfTemplates(model.Header.Provenance.Architecture));
        prompter.RequireTemplate();
        if (System is { Length: > 0 })
            SystemText.Require(prompter, System);
        var options = new GenerationOptions
        {
            MaxTokens = MaxTokens ?? model.ContextLength,
            Sampling = Sampling(model.Header.Generation),
            StopStrings = [.. Stop, .. prompter.StopStrings],
        };
        var conversation = new Conversation { System = System is { Length: > 0 } ? System : null };
        var commands = new ChatCommands(session.Terminal, conversation, prompter);
        var input = new ChatInput(session);
        using var engine = new Engine(model);
        using var interrupt = new AnswerInterrupt(session.Terminal, input.Drop);
        while (input.Read(out var isText) is { } text)
        {
            if (!isText && ChatCommands.IsOne(text))
            {
                if (!TryRun(session, () => commands.Run(text), out var goesOn) || goesOn)
                    continue;
                break;
            }

            if (text.Trim().Length == 0)
                continue;
            conversation.Ask(text);
            if (!TryRun(session, () => Answer(session, model, engine, prompter, conversation, options, interrupt), out _))
                conversation.Withdraw();
        }

        return ExitCodes.Success;
    }

    private static string NamesOfTemplates(string architecture) => ChatTemplateNames.Of(architecture) is [_, ..] names
        ? $"one of {string.Join(", ", names)} (models of this architecture were trained on these) or a file in Jinja"
        : "a file in Jinja, or a name that its --help tells";

    /// <summary>A conversation goes on after what cannot be done.</summary>
    private static bool TryRun(Session session, Func<bool> action, out bool result)
    {
        try
        {
            result = action();
            return true;
        }
        catch (WeftException failure) when (failure is not EngineException)
        {
            session.Terminal.Note(failure.Message);
            result = false;
            return false;
        }
    }

    private bool Answer(
        Session session, Model model, Engine engine, ChatPrompter prompter, Conversation conversation, GenerationOptions options, AnswerInterrupt interrupt)
    {
        var prompt = prompter.Render(conversation.Messages);
        using var generation = Start(session, model, engine, prompter.Encode(prompt), conversation, options);
        interrupt.Current = generation;
        var writer = new AnswerWriter(session.Terminal, HideThoughts, ReasoningSplitter.IsOpenAfter(prompt));
        int tokens;
        try
        {
            tokens = generation.Wait(writer.Write).Count;
        }
        finally
        {
            interrupt.Current = null;
        }

        writer.Finish();
        session.Cancellation.ThrowIfCancellationRequested();
        conversation.Answer(writer.Answer, writer.Reasoning);
        if (generation.FinishReason == FinishReason.Length && tokens < options.MaxTokens)
            session.Terminal.Note("the answer ends here because the context is full; /clear begins a new conversation");
        if (Stats)
            WriteStats(session.Terminal, model, generation, tokens);
        return true;
    }

    private static Generation Start(Session session, Model model, Engine engine, int[] prompt, Conversation conversation, GenerationOptions options)
    {
        try
        {
            return engine.Start(prompt, options, session.Cancellation);
        }
        catch (OptionException failure) when (conversation.HasAnswers && prompt.Length >= model.ContextLength)
        {
            throw new WeftException(
                $"the conversation has outgrown the context: with this message it has {prompt.Length} tokens, and there is room for {model.ContextLength}; "
                + "/clear begins a new one, /save FILE keeps this one",
                failure);
        }
    }
}
